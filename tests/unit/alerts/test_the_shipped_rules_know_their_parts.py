"""The shipped rules and a health graph as a running system has it: a broken root cause speaks, its symptoms do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.alert import Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.health import health_samples
from trading_orchestrator.perpetual_operations.health.diagnosis import Finding

S = 1_000_000_000
GRAPH = {
    "journal": (), "disk": (), "event_loop": (), "broker/demo": (), "broker/other": (),
    "desk/spot": ("journal", "broker/demo"), "desk/perp": ("journal", "broker/other"), "standby": ("journal",),
    "alerts": ("journal",),
}  # fmt: skip
WELL = dict.fromkeys(GRAPH, HealthState.HEALTHY)
Reading = tuple[str, dict[str, str], float]


class System:
    """The shipped rules and the default policy; a second at a time."""

    def __init__(self) -> None:
        self.plan = load_alerts(AlertsConfig(), source="a test")
        self.books = self.plan.books()
        self.samples = self.books.rules.samples()
        self.engine = Engine(self.plan.policy)
        self.engine.set_graph(GRAPH)
        self.engine.start(0)
        self.second = 1_000
        self.health = dict(WELL)
        self.growing: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self.readings: list[Reading] = []
        self.pos = 0

    def grows(self, metric: str, per_s: float, **labels: str) -> None:
        self.growing[metric, tuple(labels.items())] = per_s

    def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second += 1
            self._sees(*health_samples(Finding(part, state, "") for part, state in self.health.items()))
            self._sees(*self.readings)
            self._sees(*[(name, dict(of), self.second * per_s) for (name, of), per_s in self.growing.items()])
            self._tells(self.books.rules.evaluate(self.samples, self.second * S).alerts)

    def fact(self, kind: str, **body: Any) -> None:
        self.pos += 1
        seen = self.books.facts.see(
            stream="operations", kind=kind, body=msgspec.json.encode(body), pos=self.pos, now_ns=self.second * S
        )
        self._tells(seen.alerts)

    def told(self) -> dict[str, list[str]]:
        """Return the names of what fires by whether it is told, with its part where it has one."""
        found: dict[str, list[str]] = {"told": [], "explained": []}
        now_ns = self.second * S
        for alert in self.engine.state.alerts.values():
            if not alert.is_resolved(now_ns):
                is_explained = self.engine.root_causes.inhibited_by(alert.labels, now_ns) is not None
                name = f"{alert.labels['alertname']} {alert.labels.get('part', '')}".strip()
                found["explained" if is_explained else "told"].append(name)
        return {which: sorted(names) for which, names in found.items()}

    def _sees(self, *readings: Reading) -> None:
        for metric, labels, value in readings:
            self.samples.add(metric, labels, self.second * S, value)

    def _tells(self, alerts: Sequence[Posted]) -> None:
        now_ns = self.second * S
        self.engine.receive([admitted(one, now_ns, self.plan.policy.resolve_timeout_ns) for one in alerts], now_ns)


def in_trouble() -> System:
    """A system that shows every symptom of a venue that is away."""
    one = System()
    one.passes(1)
    one.grows("trading_venue_failures_total", 2.0, desk="spot", call="submit", node="a")
    one.grows("trading_orders_refused_total", 0.5, desk="spot", node="a")
    one.readings = [
        ("trading_stream_age_seconds", {"desk": "spot", "stream": "market", "node": "a"}, 300.0),
        ("trading_desk_unknown_orders", {"desk": "spot"}, 3.0),
        ("trading_desk_mode", {"desk": "spot", "mode": "halted"}, 1.0),
    ]
    return one


SYMPTOMS = ["DeskHalted", "OrdersRefused", "OrdersUnknown", "StreamSilent", "VenueFailing"]


def test_a_venue_that_is_down_explains_what_its_desk_suffers() -> None:
    one = in_trouble()
    one.health |= {"broker/demo": HealthState.UNHEALTHY}
    one.passes(200)
    one.fact("recovery.exhausted", incident_id="i-1", part="desk/spot")

    assert {
        "told": ["PartUnhealthy broker/demo"],
        "explained": ["RecoveryExhausted desk/spot", *(f"{name} desk/spot" for name in SYMPTOMS)],
    } == {which: sorted(names, key=lambda name: ("Recovery" not in name, name)) for which, names in one.told().items()}


def test_the_venue_of_another_desk_explains_nothing() -> None:
    one = in_trouble()
    one.health |= {"broker/other": HealthState.UNHEALTHY}
    one.passes(200)

    assert ["PartUnhealthy broker/other", *(f"{name} desk/spot" for name in SYMPTOMS)] == sorted(
        one.told()["told"], key=lambda name: ("Part" not in name, name)
    )


def test_what_a_person_must_look_at_is_told_whatever_is_broken() -> None:
    one = in_trouble()
    one.health |= {"broker/demo": HealthState.UNHEALTHY, "journal": HealthState.UNHEALTHY}
    one.passes(200)
    one.fact("order.quarantined", cl_ord_id="o-1", reason="nobody knows")
    one.fact("desk.killed", reason="by hand", by="anna")

    assert {"DeskKilled", "OrderQuarantined"} <= set(one.told()["told"])


def test_a_full_disk_explains_the_journal_and_what_stands_on_it() -> None:
    one = System()
    one.passes(1)
    one.grows("trading_journal_append_seconds_sum", 1.0, node="a")
    one.grows("trading_journal_append_seconds_count", 1.0, node="a")
    one.readings = [("trading_disk_used_ratio", {}, 0.99), ("trading_nodes_alive", {}, 1.0)]
    one.health |= {"journal": HealthState.UNHEALTHY}
    one.passes(200)

    told = one.told()
    assert ["DiskAlmostFull disk", "DiskFull disk"] == told["told"]
    assert ["JournalSlow journal", "NoStandby standby", "PartUnhealthy journal"] == told["explained"]


def test_a_recovery_that_failed_for_good_is_a_cause_itself() -> None:
    one = in_trouble()
    one.fact("recovery.exhausted", incident_id="i-1", part="broker/demo")
    one.passes(200)

    assert ["RecoveryExhausted broker/demo"] == one.told()["told"]


def test_an_account_that_trades_seldom_has_no_silent_stream() -> None:
    one = System()
    for stream, desk in (("reports", "calm"), ("market", "spot")):
        one.readings.append(("trading_stream_age_seconds", {"desk": desk, "node": "a", "stream": stream}, 3600.0))
    one.passes(120)

    assert ["StreamSilent desk/spot"] == one.told()["told"]
