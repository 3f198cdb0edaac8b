"""How much more fits on this host: more desks, more orders a second, from what the present ones were seen to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.analytics.watched_series import slot_of
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow

BUSY_RATIO = 0.8  # of cores and of memory: beyond it a host has no room for a takeover, or for a bad minute
LOOP_RATIO = 0.6  # of one core: a loop busier than this makes its orders wait
SURE_MINUTES = 30
LEAST_MINUTES = 3
TAIL = 95
DESK_LEASE = "desk/"
INTENDED = "trading_orders_intended_total"
Minutes = NDArray[np.float64]
MinutesOf = Callable[[str], Minutes]


class Room(msgspec.Struct, frozen=True):
    """How much more of one thing fits; `because` names what runs out first, with the figures behind it."""

    what: str
    now: float
    more: float
    because: str


class Capacity(msgspec.Struct, frozen=True):
    """`sure`: at least half an hour was measured. An estimate from light load is an extrapolation, and says so."""

    sentence: str
    sure: bool
    measured_minutes: int
    desks: Room
    orders_s: Room
    host_cpu_p95_ratio: float
    host_memory_ratio: float
    cores: int


def capacity(nodes: Sequence[NodeNow], minutes_of: MinutesOf, *, cores: int) -> Capacity:
    """Return what fits beside what runs now, each further desk counted as a node of its own."""
    cpu = _values(minutes_of("host_cpu_ratio"))
    cpu_p95 = float(np.percentile(cpu, TAIL)) if len(cpu) else 0.0
    sample = nodes[0].sample if nodes else None
    memory_ratio = sample.host_memory_ratio if sample else 0.0
    free_bytes = _free_bytes(sample.host_memory_available_bytes, memory_ratio) if sample else 0.0
    traders = [now for now in nodes if _desks(now)]
    desks = sum(_desks(now) for now in traders)
    if len(cpu) < LEAST_MINUTES or not desks:
        room, orders = _unmeasured("desks", desks), _unmeasured("orders/s", 0)
        sentence = f"Not measured yet: {len(cpu)} minutes, desks that trade: {desks}."
    else:
        free_cores = max(0.0, cores * (BUSY_RATIO - cpu_p95))
        room = _desk_room(traders, desks, minutes_of, free_cores=free_cores, free_bytes=free_bytes)
        orders = _order_room(traders, minutes_of)
        sentence = _sentence(room, orders, len(cpu))
    return Capacity(
        sentence,
        desks > 0 and len(cpu) >= SURE_MINUTES,
        len(cpu),
        room,
        orders,
        round(cpu_p95, 3),
        round(memory_ratio, 3),
        cores,
    )


def _unmeasured(what: str, now: float) -> Room:
    return Room(what, now, 0, "not measured yet")


def _desk_room(
    traders: Sequence[NodeNow], desks: int, minutes_of: MinutesOf, *, free_cores: float, free_bytes: float
) -> Room:
    used = [_p95(minutes_of(f"process_cpu_ratio@{slot_of(now.node)}")) for now in traders]
    cpu_each = max(sum(used) / desks, 0.001)
    bytes_each = max(now.sample.process_rss_bytes for now in traders)
    by_cpu, by_memory = free_cores / cpu_each, free_bytes / bytes_each
    if by_cpu < by_memory:
        because = f"CPU: a desk takes {cpu_each:.3f} of a core, {free_cores:.2f} cores are free"
    else:
        because = f"memory: a node takes {bytes_each / 1e6:.0f} MB, {free_bytes / 1e6:,.0f} MB are free"
    return Room("desks", desks, floor(min(by_cpu, by_memory)), because)


def _order_room(traders: Sequence[NodeNow], minutes_of: MinutesOf) -> Room:
    """The busiest node's loop is the limit: what a further order costs it is the slope of its CPU over its rate."""
    best = Room("orders/s", 0.0, inf, "no order was sent, so nothing is known of what one costs")
    for now in traders:
        slot = slot_of(now.node)
        rate, cpu = _rates(now, minutes_of), minutes_of(f"process_cpu_ratio@{slot}")
        rates, busy = _together(rate, cpu)
        if not len(rates) or not rates.any():
            continue
        cost = _cost_of_order(rates, busy)
        room = max(0.0, LOOP_RATIO - _p95(cpu)) / cost
        if room < best.more:
            because = (
                f"the loop of node {slot}: an order costs {cost * 1000:.1f} ms of it, {_p95(cpu):.2f} of a core is used"
            )
            best = Room("orders/s", round(float(np.percentile(rates, TAIL)), 2), round(room, 1), because)
    return best if best.more < inf else Room("orders/s", 0.0, 0.0, best.because)


def _cost_of_order(rates: Minutes, busy: Minutes) -> float:
    """CPU seconds an order: the median slope where the rate varied, else all CPU is blamed on orders."""
    first, second = np.triu_indices(len(rates), 1)
    apart = np.abs(rates[second] - rates[first]) > 0.2 * rates.max()
    if apart.sum() >= LEAST_MINUTES:
        slope = float(np.median((busy[second] - busy[first])[apart] / (rates[second] - rates[first])[apart]))
        if slope > 1e-5:
            return slope
    return max(1e-4, float(busy.mean() / rates.mean()))


def _rates(now: NodeNow, minutes_of: MinutesOf) -> Minutes:
    """Return the node's orders a second by the minute, all its desks together."""
    slot = slot_of(now.node)
    whole: dict[float, float] = {}
    for family in now.metrics:
        for reading in family.readings if family.name == INTENDED else ():
            labels = ",".join(f'{key}="{value}"' for key, value in reading.labels)
            for at_s, value in minutes_of(f"{INTENDED}{{{labels}}}@{slot}").tolist():
                whole[at_s] = whole.get(at_s, 0.0) + value
    return np.array(sorted(whole.items()), dtype=np.float64).reshape(-1, 2)


def _together(first: Minutes, second: Minutes) -> tuple[Minutes, Minutes]:
    """Return the values of those minutes that both have."""
    _, left, right = np.intersect1d(first[:, 0], second[:, 0], return_indices=True)
    return first[left, 1], second[right, 1]


def _desks(now: NodeNow) -> int:
    """Return how many desks the node acts for: it shows the age of each lease it holds."""
    leases = (
        dict(each.labels).get("lease", "")
        for family in now.metrics
        if "lease_age" in family.name
        for each in family.readings
    )
    return sum(lease.startswith(DESK_LEASE) for lease in leases)


def _free_bytes(available: int, used_ratio: float) -> float:
    """Memory that may still be taken while a fifth of the host's stays free."""
    total = available / max(1e-6, 1 - used_ratio)
    return max(0.0, available - total * (1 - BUSY_RATIO))


def _values(minutes: Minutes) -> Minutes:
    return minutes[:, 1]


def _p95(minutes: Minutes) -> float:
    return float(np.percentile(minutes[:, 1], TAIL)) if len(minutes) else 0.0


def _sentence(desks: Room, orders: Room, minutes: int) -> str:
    how_sure = "" if minutes >= SURE_MINUTES else f", measured for {minutes} minutes only"
    return (
        f"{desks.more:.0f} more desks ({desks.because}) "
        f"and {orders.more:g} more orders/s ({orders.because}) fit here{how_sure}."
    )
