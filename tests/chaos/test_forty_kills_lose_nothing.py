"""F26: kill the trader again and again, aimed and at random: nothing lost, nothing doubled, the successor trades.

CHAOS_KILLS sets how many times (half of them aimed); the judge reads only the venue's log and the journal.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from dataclasses import dataclass

import pytest

from tests.chaos.judge import Evidence, read_journal
from tests.chaos.planted import overlooked
from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.conftest import Figures
from tests.running_system import RunningSystem, wait_until, with_suppressed_kill
from tests.venue_process import VenueProcess

KILLS = int(os.environ.get("CHAOS_KILLS", "8"))
POINTS = ("order.deciding", "order.intended", "order.in_flight", "order.answered")
SEED = int(os.environ.get("CHAOS_SEED", "20170101"))
ORDERS_PER_S = 50

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Takeover:
    """One kill and what followed; `took_ms` from the kill to the successor's first durable order."""

    how: str
    took_ms: float


def test_forty_kills_lose_nothing(system: RunningSystem, venue: VenueProcess, figures: Figures) -> None:
    system.start()
    chance = random.Random(SEED)
    aimed = [POINTS[number % len(POINTS)] for number in range(KILLS // 2)]
    plan = [*aimed, *[""] * (KILLS - len(aimed))]
    chance.shuffle(plan)
    takeovers = []

    for point in plan:
        pid, node = system.wait_trading()
        wait_for_orders(system, node, at_least=ORDERS_PER_S)
        takeovers.append(kill_and_time(system, venue, pid, node, point, chance))

    rate = order_rate(system)
    with figures():
        report(takeovers, rate)
    assert sorted(plan) == sorted(takeover.how for takeover in takeovers)
    settle_and_judge(system, venue)
    assert [] == overlooked(Evidence(venue.log(), read_journal(system.journal)))
    assert rate >= ORDERS_PER_S


def test_the_keeper_and_all_under_it_killed_five_times(system: RunningSystem, venue: VenueProcess) -> None:
    system.start()
    for _ in range(max(1, KILLS // 8)):
        _, node = system.wait_trading()
        wait_for_orders(system, node, at_least=ORDERS_PER_S)
        system.kill_all()
        system.start()

    system.wait_trading()
    settle_and_judge(system, venue)


def kill_and_time(
    system: RunningSystem, venue: VenueProcess, pid: int, node: str, point: str, chance: random.Random
) -> Takeover:
    assert system.hold_dir is not None
    if point:
        if point == "order.in_flight":  # the answers stay away, so that the kill meets an order under way
            venue.fault(effect="delay_answer", call="order.place", delay_ms=400, for_s=2.0)
        armed = system.hold_dir / point
        armed.touch()
        folder = system.hold_dir
        held = wait_until(lambda: list(folder.glob(f"{point}.held.*")), within_s=10, what=f"{point} reached")
        assert f"{point}.held.{pid}" == held[0].name
        held[0].unlink()
    else:
        time.sleep(chance.uniform(0.0, 0.2))
    pos = system.last_pos()
    killed_at_ns = time.time_ns()
    with_suppressed_kill(pid, signal.SIGKILL)
    first_ns = wait_until(lambda: first_order_after(system, pos, node), within_s=20, what="the successor's first order")
    return Takeover(point, (first_ns - killed_at_ns) / 1e6)


def first_order_after(system: RunningSystem, pos: int, dead: str) -> int:
    rows = system.query(
        "SELECT min(at_ns) FROM facts WHERE pos > ? AND kind = 'order.intended' AND node <> ?", pos, dead
    )
    return int(rows[0][0] or 0) if rows else 0


def order_rate(system: RunningSystem) -> float:
    """Return orders per second over three seconds of undisturbed trading."""
    system.wait_trading()
    began, count = time.monotonic(), orders(system)
    time.sleep(3.0)
    return (orders(system) - count) / (time.monotonic() - began)


def orders(system: RunningSystem) -> int:
    return int(system.query("SELECT count(*) FROM facts WHERE kind = 'order.intended'")[0][0])


def report(takeovers: list[Takeover], rate: float) -> None:
    times = sorted(takeover.took_ms for takeover in takeovers)
    print(f"\n{len(times)} kills at {rate:.0f} orders/s; kill -> first order of the successor, ms:")
    for name in (*POINTS, ""):
        each = [f"{takeover.took_ms:.0f}" for takeover in takeovers if takeover.how == name]
        print(f"  {name or 'at random':18} {' '.join(each)}")
    print(f"  median {statistics.median(times):.0f}, maximum {times[-1]:.0f}")
