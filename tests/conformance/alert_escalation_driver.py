"""Drives escalation cases: minutes on a virtual clock, an engine that can be down, and what each person hears.

A monitor of a case is a heartbeat rule, whose alert opens a ladder and whose end closes it, as in the product.
It knows no case id and never looks at an expectation. Every fact goes through its stored form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    FOR_EVER,
    Contact,
    EscalationPolicy,
    EscalationRefused,
    Step,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.state import folded
from trading_orchestrator.perpetual_operations.alerts.rules import facts as rf
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.silent_source import HeartbeatRule
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleChanged

Case = Mapping[str, Any]
MINUTE_NS, SECOND_NS = 60_000_000_000, 1_000_000_000


class Ladder:
    """One case. `crash`: the process dies before every event and is folded anew from the stored facts."""

    def __init__(self, case: Case, *, crash: bool = False) -> None:
        self.case = case
        self.crash = crash
        self.is_up = True
        self.now_ns = 0
        self.stored: list[tuple[str, bytes]] = []
        self.sent: list[dict[str, Any]] = []
        self.monitors = Monitors(monitors_of(case["config"]))
        self.escalator = self._escalator()

    def play(self) -> list[dict[str, Any]]:
        """Return everything that was sent up to the horizon."""
        for event in sorted(self.case["events"], key=lambda event: float(event["t_min"])):
            now_ns = _ns(event["t_min"])
            self._run_until(now_ns - 1)
            self.now_ns = now_ns
            if self.crash:
                self._die()
            try:
                getattr(self, f"on_{event['op']}")(event, now_ns)
            except EscalationRefused:
                continue  # the person hears so; nobody else is concerned
        self._run_until(_ns(self.case["horizon_min"]))
        return self.sent

    def on_create(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.open(event["alert"], now_ns))

    def on_ack(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.acknowledge(event["alert"], event.get("by", ""), now_ns))

    def on_close(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.close(event["alert"], event.get("by", ""), now_ns))

    def on_escalate(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.escalate(event["alert"], event.get("by", ""), now_ns))

    def on_maintenance_start(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.pause(_ns(event["until_min"]), now_ns))

    def on_maintenance_end(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.escalator.pause(now_ns, now_ns))

    def on_beat(self, event: Mapping[str, Any], now_ns: int) -> None:
        named = [str(event[key]) for key in ("monitor", "heartbeat", "name", "alert") if key in event]
        self._store(self.monitors.hear(next(iter(named), next(iter(self.monitors.timeouts_s))), now_ns))
        if self.is_up:
            self._look(now_ns)

    def on_engine_down(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._run_until(now_ns)
        self.is_up = False

    def on_engine_up(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._die()
        self.is_up = True
        self._advance(now_ns)

    def _escalator(self) -> Escalator:
        policy, users = self.case["config"]["policy"], self.case["config"]["users"]
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        return Escalator(
            EscalationPolicy(
                steps=tuple(_step(step) for step in policy["steps"]), repeat=_repeat(policy.get("repeat", 0))
            ),
            {name: tuple(_contact(rule) for rule in rules) for name, rules in users.items()},
            state=folded(body for body in bodies if body is not None),
        )

    def _die(self) -> None:
        """Nothing but what was stored goes on, the beats included."""
        before, monitors = self.escalator, self.monitors
        self.escalator = self._escalator()
        self.monitors = Monitors(monitors.timeouts_s, self.stored, self.now_ns)
        assert before.state == self.escalator.state, "the facts do not tell the whole state"
        assert monitors.state() == self.monitors.state(), "the facts do not tell what was heard and what is missed"

    def _run_until(self, until_ns: int) -> None:
        while self.is_up and (due_ns := self._next_due_ns()) is not None and due_ns <= until_ns:
            self._advance(max(due_ns, self.now_ns))

    def _next_due_ns(self) -> int | None:
        """Rules are looked at each second, ladders when something is due."""
        looks = [(self.now_ns // SECOND_NS + 1) * SECOND_NS] if self.monitors.timeouts_s else []
        due_ns = self.escalator.next_due_ns()
        return min([*looks, *([] if due_ns is None else [due_ns])], default=None)

    def _advance(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._look(now_ns)
        self._keep(self.escalator.advance(now_ns))

    def _look(self, now_ns: int) -> None:
        changes = self.monitors.look(now_ns)
        self._store(changes)
        for change in changes:
            name = change.labels["monitor"]
            is_missed = change.active is not None
            self._keep(self.escalator.open(name, now_ns) if is_missed else self.escalator.close(name, "beat", now_ns))

    def _store(self, bodies: Sequence[Any]) -> None:
        self.stored += [(body.kind, msgspec.json.encode(body)) for body in bodies]

    def _keep(self, bodies: Sequence[f.Body]) -> None:
        self._store(bodies)
        self.sent += [_shown(body) for body in bodies if isinstance(body, f.ContactDue)]


class Monitors:
    """The heartbeat rules of a case, by what `stored` tells of them; without it, they begin."""

    def __init__(
        self, timeouts_s: Mapping[str, float], stored: Sequence[tuple[str, bytes]] = (), now_ns: int = 0
    ) -> None:
        self.timeouts_s = timeouts_s
        rules = tuple(
            HeartbeatRule(name=name, monitor=name, timeout=s, after_first=True) for name, s in timeouts_s.items()
        )
        self.books = books_of(RulesConfig(watch=rules))
        self.samples = self.books.rules.samples()
        for kind, body in stored:
            if (fact := rf.body_of(kind, body)) is not None:
                self.books.apply(fact)
        assert [] == self.books.beats.start(self.samples, now_ns), "a monitor waits for its first beat"
        self.books.rules.start(now_ns)

    def hear(self, monitor: str, now_ns: int) -> Sequence[rf.Body]:
        return self.books.beats.hear(monitor, self.samples, now_ns)

    def look(self, now_ns: int) -> Sequence[RuleChanged]:
        return self.books.rules.evaluate(self.samples, now_ns).facts

    def state(self) -> tuple[object, object]:
        missed = {name: [one.active for one in alive] for name, alive in self.books.rules.alive().items()}
        return dict(self.books.beats.heard_ns), missed


def differences(expected: Iterable[Mapping[str, Any]], sent: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what differs, in sentences; `alert` and `alerts` are compared where the case names them."""
    left = list(sent)
    found = []
    for message in expected:
        match = next((one for one in left if _is(message, one)), None)
        if match is None:
            found.append(f"not sent: {dict(message)}")
        else:
            left.remove(match)
    return found + [f"not expected: {one}" for one in left]


def monitors_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Return the time-outs in seconds of the monitors, however the case lists them."""
    named = [value for key, value in config.items() if "heartbeat" in key or "monitor" in key]
    listed: Any = named[0] if named else {}
    if isinstance(listed, Mapping):
        single = _timeout_s(listed)
        if single is not None:
            return {str(listed.get("name", "heartbeat")): single}
        listed = [{"name": name, **_as_fields(fields)} for name, fields in listed.items()]
    if not isinstance(listed, list):
        return {"heartbeat": float(listed) * 60}
    return {str(one.get("name", one.get("id", "heartbeat"))): _timeout_s(one) or 0.0 for one in listed}


def _as_fields(fields: Any) -> dict[str, Any]:
    return dict(fields) if isinstance(fields, Mapping) else {"timeout_min": fields}


def _timeout_s(fields: Mapping[str, Any]) -> float | None:
    named = [value for value in fields.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    return float(named[0]) * 60 if named else None


def _is(expected: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    about = expected.get("alerts") or ([expected["alert"]] if "alert" in expected else None)
    when = abs(expected["t_min"] - sent["t_min"]) <= 1e-9
    same = (expected["to"], expected["channel"]) == (sent["to"], sent["channel"])
    return when and same and (about is None or sorted(about) == sorted(sent["alerts"]))


def _shown(body: f.ContactDue) -> dict[str, Any]:
    return {
        "t_min": body.at_ns / MINUTE_NS,
        "to": body.to,
        "channel": body.channel,
        "alerts": list(body.escalations),
    }


def _step(step: Mapping[str, Any]) -> Step:
    targets = tuple(step["targets"])
    return Step(delay_s=step["delay_min"] * 60.0, targets=targets, multi_ack=step.get("multi_ack", False))


def _contact(rule: Mapping[str, Any]) -> Contact:
    return Contact(channel=rule["channel"], delay_s=rule["delay_min"] * 60.0)


def _repeat(repeat: Any) -> int:
    return repeat if isinstance(repeat, int) else FOR_EVER


def _ns(minutes: float) -> int:
    return round(minutes * MINUTE_NS)
