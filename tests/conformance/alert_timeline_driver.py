"""Drives timeline and routing cases: their events become calls of the engine, what it sends is written down.

It knows no case id and never looks at an expectation. Every fact goes through its stored form; a restart throws the
engine away and folds those bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.route import build_tree
from trading_orchestrator.perpetual_operations.alerts.silence import Silence, SilenceRefused
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State, folded
from trading_orchestrator.perpetual_operations.alerts.time_intervals import TimeIntervalConfig

START_NS = 1_795_348_800_000_000_000  # 2026-11-22 12:00 UTC, when the cases were measured
Case = Mapping[str, Any]


def receivers_of(case: Case) -> list[list[str]]:
    """Return the receivers each check's labels reach, in visit order."""
    tree = build_tree(msgspec.convert(case["config"]["route"], RouteConfig))
    return [[route.receiver for route in tree.match(check["labels"])] for check in case["checks"]]


class Timeline:
    """One case on a virtual clock; `crash_at` are instants at which the process dies besides."""

    def __init__(self, case: Case, *, crash_at: frozenset[float] = frozenset()) -> None:
        self.case = case
        self.crash_at = crash_at
        self.policy = policy_of(msgspec.convert(case["config"], AlertingConfig))
        self.resolve_timeout_ns = self.policy.resolve_timeout_ns
        self.stored: list[tuple[str, bytes]] = []
        self.answers: dict[str, list[Any]] = {}
        self.silence_ids: dict[str, str] = {}
        self.sent: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.graph: Mapping[str, Any] = {}
        self.engine = Engine(self.policy)
        self._keep(self.engine.start(START_NS))

    def play(self) -> list[dict[str, Any]]:
        """Return every message that reached a receiver's door up to the horizon."""
        events = [(event["t"], 1, event) for event in self.case["events"]]
        events += [(at, 0, {"op": "restart", "how": "KILL"}) for at in self.crash_at]
        for at, _, event in sorted(events, key=lambda one: one[:2]):
            self._run_until(_ns(at))
            getattr(self, f"on_{event['op']}")(event, _ns(at))
            self._work(_ns(at))
        self._run_until(_ns(self.case["horizon"]) - 1)  # what is due at the very horizon was measured after it
        return self.sent

    def on_alerts(self, event: Mapping[str, Any], now_ns: int) -> None:
        posted = [
            Posted(
                labels=alert["labels"],
                annotations=alert.get("annotations", {}),
                starts_at_ns=_ns(alert["starts_at"]) if "starts_at" in alert else None,
                ends_at_ns=_ns(alert["ends_at"]) if "ends_at" in alert else None,
            )
            for alert in event["alerts"]
        ]
        alerts = [admitted(one, now_ns, self.resolve_timeout_ns) for one in posted]
        self._keep(self.engine.receive(alerts, now_ns))

    def on_silence(self, event: Mapping[str, Any], now_ns: int) -> None:
        silence = Silence(
            silence_id=self.silence_ids.get(event["id"], event["id"]),
            matchers=tuple(event["matchers"]),
            starts_at_ns=_ns(event.get("starts_at", event["t"])),
            ends_at_ns=_ns(event["ends_at"]),
            created_by=event.get("created_by", "somebody"),
            comment=event.get("comment", "the case says so"),
            until_resolved=event.get("until_resolved", False),
            times=msgspec.convert(event.get("times", ()), tuple[TimeIntervalConfig, ...]),
            unused_for_s=event.get("unused_for"),
        )
        try:
            self._keep(self.engine.set_silence(silence, now_ns))
        except SilenceRefused:  # the peer, too, ends the old one and gives the new one an id of its own
            self._keep(self.engine.expire_silence(silence.silence_id, now_ns))
            self.silence_ids[event["id"]] = f"{silence.silence_id}'"
            silence = msgspec.structs.replace(silence, silence_id=self.silence_ids[event["id"]])
            self._keep(self.engine.set_silence(silence, now_ns))

    def on_expire_silence(self, event: Mapping[str, Any], now_ns: int) -> None:
        self._keep(self.engine.expire_silence(self.silence_ids.get(event["id"], event["id"]), now_ns))

    def on_receiver_script(self, event: Mapping[str, Any], now_ns: int) -> None:
        self.answers.setdefault(event["receiver"], []).extend(event["answers"])

    def on_graph(self, event: Mapping[str, Any], now_ns: int) -> None:
        self.graph = event["depends_on"]
        self.engine.set_graph(self.graph)

    def on_restart(self, event: Mapping[str, Any], now_ns: int) -> None:
        """Die, whatever the way, and be folded anew from what was stored."""
        state = self.refolded()
        assert state == self.engine.state, "the facts do not tell the whole state"
        self.engine = Engine(self.policy, state)
        self.engine.set_graph(self.graph)
        self._keep(self.engine.start(now_ns))

    def refolded(self) -> State:
        """Return the state that the stored facts make."""
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        return folded(body for body in bodies if body is not None)

    def _keep(self, bodies: Any) -> None:
        self.stored += [(body.kind, msgspec.json.encode(body)) for body in bodies]

    def _run_until(self, until_ns: int) -> None:
        while (due_ns := self._next_ns()) is not None and due_ns <= until_ns:
            self._work(due_ns)

    def _next_ns(self) -> int | None:
        times = [outgoing.retry_at_ns for outgoing in self.engine.state.outbox.values()]
        due_ns = self.engine.next_due_ns()
        return min([*times, *([] if due_ns is None else [due_ns])], default=None)

    def _work(self, now_ns: int) -> None:
        self._keep(self.engine.advance(now_ns))
        while sends := self.engine.due_sends(now_ns):
            for outgoing in sends:
                self._send(outgoing, now_ns)
            self._keep(self.engine.advance(now_ns))

    def _send(self, outgoing: Outgoing, now_ns: int) -> None:
        message = outgoing.message
        script = self.answers.get(message.receiver, [])
        scripted = script.pop(0) if script else 200
        fields = scripted if isinstance(scripted, dict) else {"status": scripted}
        answer = fields.get("status", 200)
        self.keys.append(message.notification_id)
        self.sent.append(
            {
                "t": (now_ns - START_NS) / 1e9,
                "receiver": message.receiver,
                "status": message.status,
                "group_labels": message.group_labels,
                "alerts": [{"labels": alert.labels, "status": alert.status} for alert in message.alerts],
                "receiver_answered": answer,
            }
        )
        self._answered(message.notification_id, answer, now_ns, fields.get("retry_after"))

    def _answered(self, notification_id: str, answer: Any, now_ns: int, retry_after_s: float | None) -> None:
        if isinstance(answer, int) and 200 <= answer < 300:
            self._keep(self.engine.delivered(notification_id, now_ns, str(answer)))
        elif isinstance(answer, int) and 400 <= answer < 500 and answer not in {408, 429}:
            self._keep(self.engine.refused(notification_id, now_ns, str(answer)))
        else:
            self._keep(self.engine.failed(notification_id, now_ns, str(answer), retry_after_s))


def _ns(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)
