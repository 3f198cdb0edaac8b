"""What the rules look at: numbers by name and labels, under the names that /metrics shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import Family, Kind
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.health import BADNESS, health_samples
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples
from trading_orchestrator.perpetual_operations.health.diagnosis import Finding
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.health.of_all_nodes import answered
from trading_orchestrator.perpetual_operations.incidents.correlation import outlives_its_node
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.storage.ports import LeaseRow

Reading = tuple[str, Mapping[str, str], float]
UP = (HealthState.HEALTHY, HealthState.DEGRADED, HealthState.STARTING)
MODES = ("normal", "reduce_only", "draining", "halted")
Names = Sequence[tuple[str, str, str]]


def of_nodes(nodes: Sequence[NodeNow], *, host: Names, node: Names) -> Iterator[Reading]:
    """Yield what every node measures; host metrics once, from the first.

    host, node: rows of sample field, metric name and description, as `monitoring/metrics.py` has them.
    """
    for field, name, _ in host if nodes else ():
        value = getattr(nodes[0].sample, field, None)
        if value is not None:
            yield name, {}, float(value)
    for one in nodes:
        for field, name, _ in node:
            yield name, {"node": one.node}, float(getattr(one.sample, field))
        for family in one.metrics:
            yield from _of_family(family, one.node)


def _of_family(family: Family, node: str) -> Iterator[Reading]:
    for reading in family.readings:
        labels = {**dict(reading.labels), "node": node}
        if family.kind is not Kind.HISTOGRAM:
            yield family.name, labels, reading.value
            continue
        yield f"{family.name}_sum", labels, reading.value
        yield f"{family.name}_count", labels, float(sum(reading.counts))
        bounds = (*(str(bound) for bound in family.bounds), "+Inf")
        for bound, count in zip(bounds, accumulate(reading.counts), strict=True):
            yield f"{family.name}_bucket", {**labels, "le": bound}, float(count)


def of_health(own: HealthReport, nodes: Sequence[NodeNow]) -> Iterator[Reading]:
    """Yield how every part is, as health rules and /metrics name it, by the nodes that answer for it.

    What is one thing for all nodes has one reading for the rules, the worst, or each node would alert of it.
    """
    others = [now.health for now in nodes if now.health is not None and now.health.node != own.node]
    worst: dict[tuple[str, str], Finding] = {}
    for report, part in answered([own, *others]):
        labels = {"part": part.name, "node": report.node}
        yield "trading_health_up", labels, float(part.state in UP)
        yield "trading_health_probe_seconds", labels, part.took_ms / 1000
        whose = (part.name, "" if outlives_its_node(part.name) else report.node)
        found = Finding(part.name, part.state, part.reason, part.because_of)
        worst[whose] = max(worst.get(whose, found), found, key=_badness)
    for (_, node), finding in worst.items():
        for metric, labels, value in health_samples([finding]):
            yield metric, labels | ({"node": node} if node else {}), value


def _badness(finding: Finding) -> tuple[float, bool]:
    return BADNESS[finding.state], finding.is_cause


def of_desks(rows: Iterable[Mapping[str, Any]]) -> Iterator[Reading]:
    """Yield each desk's mode, doubts and blocks, as its own projection row tells them."""
    for row in rows:
        desk = {"desk": str(row.get("desk", "?"))}
        mode = str(row.get("mode", "normal"))
        for one in {*MODES, mode}:
            yield "trading_desk_mode", {**desk, "mode": one}, float(one == mode)
        yield "trading_desk_unknown_orders", desk, float(row.get("unknown_orders", 0))
        for symbol in row.get("blocked", {}):
            yield "trading_desk_symbol_blocked", {**desk, "symbol": str(symbol)}, 1.0


def of_leases(rows: Iterable[LeaseRow], *, boot_id: str, boot_ns: int) -> Iterator[Reading]:
    """Yield whether somebody holds each lease, and for how much longer."""
    for row in rows:
        left_ns = row.expires_ns - boot_ns if row.boot_id == boot_id and row.expires_ns else 0
        yield "trading_lease_held", {"lease": row.name}, float(left_ns > 0)
        yield "trading_lease_epoch", {"lease": row.name}, float(row.epoch)


def decoded(values: Iterable[bytes]) -> list[Mapping[str, Any]]:
    """Return projection rows as mappings."""
    return [msgspec.json.decode(value) for value in values]


class Sampler:
    """Puts readings into the memory of the rules; a series that is not read any more has ended."""

    def __init__(self, samples: Samples, wanted: Callable[[str], bool]) -> None:
        self._samples = samples
        self._wanted = wanted
        self._seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()

    def adopt(self, other: Sampler) -> None:
        """Go on where another sampler of this process was: what it saw and we see no more has ended."""
        self._seen = {series for series in other._seen if self._wanted(series[0])}

    def take(self, readings: Iterable[Reading], now_ns: int) -> None:
        """Take one round in; metrics that no rule names are passed over."""
        seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        for metric, labels, value in readings:
            if self._wanted(metric):
                self._samples.add(metric, labels, now_ns, value)
                seen.add((metric, tuple(labels.items())))
        for metric, ended in self._seen - seen:
            self._samples.add(metric, dict(ended), now_ns, None)
        self._seen = seen
