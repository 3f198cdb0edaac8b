"""The trace in docs/life-of-an-alert.md is what the parts do, fact by fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.unit.alerts.rule_bench import books
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as ef
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import Contact, EscalationPolicy, Step
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import ScheduleConfig, checked_schedules
from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleChanged
from trading_orchestrator.perpetual_operations.alerts.state import folded

S = 1_000_000_000
NINE_NS = 1_795_424_400 * S  # 2026-11-23 09:00 UTC
RULE = {
    "kind": "stale", "name": "FeedStale", "metric": "quotes", "older_than": 30, "for": 10, "severity": "critical",
    "summary": "{{ $labels.feed }} is silent for {{ $value }} s",
}  # fmt: skip
ALERTING = {
    "route": {"receiver": "duty", "group_by": ["alertname"], "group_wait": 5, "group_interval": 60},
    "receivers": {"duty": {}},
}
SCHEDULE = {"time_zone": "Europe/Berlin", "rotations": [{"people": ["ann", "bob"], "start": "2026-11-23T09:00"}]}
LADDER = EscalationPolicy(
    steps=(Step(delay_s=300, targets=("schedule:trading",)), Step(delay_s=300, targets=("user:bob",)))
)
PEOPLE = {"ann": (Contact(channel="push"), Contact(channel="voice", delay_s=120)), "bob": (Contact(channel="sms"),)}
AWAY_UNTIL_S, KILLED_S, ACKNOWLEDGED_S, QUIET_S, AGAIN_S, END_S = 70, 68, 95, 20, 120, 150


class Life:
    """One feed falls silent and comes back; its receiver is away at first, and the process is killed meanwhile."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stored: list[tuple[str, bytes]] = []
        self.policy = policy_of(msgspec.convert(ALERTING, AlertingConfig))
        self.engine = Engine(self.policy)
        self.book = books(RULE).rules
        self.samples = self.book.samples()
        schedules = checked_schedules({"trading": msgspec.convert(SCHEDULE, ScheduleConfig)}, PEOPLE)
        self.ladder = Escalator(LADDER, PEOPLE, schedules=schedules)

    def lived(self) -> list[str]:
        self.keep(0, self.engine.start(NINE_NS))
        for second in range(END_S):
            self.live(second, NINE_NS + second * S)
        return self.lines

    def live(self, second: int, now_ns: int) -> None:
        if not QUIET_S < second < AGAIN_S:
            self.samples.add("quotes", {"feed": "eurusd"}, now_ns, 1.0)
        evaluation = self.book.evaluate(self.samples, now_ns)
        self.keep(second, evaluation.facts)
        alerts = [admitted(one, now_ns, self.policy.resolve_timeout_ns) for one in evaluation.alerts]
        self.keep(second, self.engine.receive(alerts, now_ns))
        if second == KILLED_S:
            self.die(now_ns)
        self.keep(second, self.engine.advance(now_ns))
        self.keep(second, self.climbed(now_ns))
        for outgoing in self.engine.due_sends(now_ns):
            self.keep(second, self.sent(second, outgoing.message.notification_id, now_ns))
        if second == ACKNOWLEDGED_S:
            self.keep(second, self.ladder.acknowledge("duty", "ann", now_ns, "restarting the feed"))

    def climbed(self, now_ns: int) -> Iterator[Any]:
        """A message that fires opens the receiver's ladder; the end of its last alert closes it."""
        firing = [one for one in self.engine.state.outbox.values() if one.message.firing]
        if firing and not self.ladder.state.open:
            yield from self.ladder.open("duty", now_ns)
        if all(one.is_resolved(now_ns) for one in self.engine.state.alerts.values()):
            yield from self.ladder.close("duty", "resolved", now_ns)
        yield from self.ladder.advance(now_ns)

    def sent(self, second: int, name: str, now_ns: int) -> Iterable[Any]:
        if second < AWAY_UNTIL_S:
            return self.engine.failed(name, now_ns, "503")
        return self.engine.delivered(name, now_ns, "200")

    def die(self, now_ns: int) -> None:
        """`kill -9`: all that is left are the stored facts, and the next process folds them."""
        self.lines.append("          -- kill -9; the next process folds the facts --")
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        self.engine = Engine(self.policy, folded(body for body in bodies if body is not None))
        self.keep(KILLED_S, self.engine.start(now_ns))

    def keep(self, second: int, bodies: Iterable[Any]) -> None:
        for body in bodies:
            self.stored.append((body.kind, msgspec.json.encode(body)))
            at = datetime.fromtimestamp(NINE_NS // S + second, UTC)
            self.lines.append(f"{at:%H:%M:%S}  {body.kind:<29}{said(body)}".rstrip())


def said(body: Any) -> str:
    """Return what matters of a fact."""
    sayings: dict[type, Callable[[Any], str]] = {
        RuleChanged: lambda one: f"feed eurusd: {one.active.state.value if one.active else 'over'} at {one.number:g} s",
        f.Received: lambda one: "; ".join(
            entry.alert.annotations["summary"] if entry.alert.is_timeout else "it ends" for entry in one.entries
        ),
        f.GroupOpened: lambda one: f"{one.group_key} for {one.receiver}",
        f.NotificationDue: lambda one: f"#{one.notification_id[-1]} to {one.receiver}: {one.status}",
        f.NotificationFailed: lambda one: f"#{one.notification_id[-1]}: {one.answer}",
        f.NotificationDelivered: lambda one: f"#{one.notification_id[-1]}: {one.answer}",
        ef.Stepped: lambda one: f"rung {one.step + 1}: {', '.join(one.people)}",
        ef.ContactDue: lambda one: f"{one.to} by {one.channel}",
        ef.Acknowledged: lambda one: f"{one.by}: {one.note}",
    }
    return sayings.get(type(body), lambda one: "")(body)


def test_the_documented_file_is_one_that_starts(root: Path, tmp_path: Path) -> None:
    document = (root / "docs" / "life-of-an-alert.md").read_text()
    file = tmp_path / "alerts.toml"
    file.write_text(document.split("```toml\n")[1].split("```")[0])

    plan = load_alerts(AlertsConfig(path=str(file)), source="config")

    written = {"LoopLags", "DiskFills", "Answers", "OrderQuarantined", "NoBackup"}
    assert written <= {rule.name for rule in plan.rules}
    monday = checked_schedules(plan.config.schedules, plan.config.users)["trading"]
    assert (("ann",), ("ann", "bob")) == (monday.on_call(NINE_NS), monday.on_call(NINE_NS + 5 * 86_400 * S))


def test_the_trace_is_what_happens(root: Path) -> None:
    document = (root / "docs" / "life-of-an-alert.md").read_text()
    trace = document.split("```trace\n")[1].split("\n```")[0]

    assert Life().lived() == trace.splitlines()
