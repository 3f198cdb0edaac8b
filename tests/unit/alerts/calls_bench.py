"""An engine with ladders and answers on a virtual clock: turns as the alert manager takes them, and deaths between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.answering import Answering
from trading_orchestrator.perpetual_operations.alerts.attention import Attention
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import Contact, EscalationPolicy
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import Schedule
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.state import State

S = 1_000_000_000
PEOPLE = {"ann": (Contact(channel="push"),), "bob": (Contact(channel="push"),)}
ROUTE: Mapping[str, Any] = {"receiver": "r", "group_by": ["alertname"], "group_wait": 0, "group_interval": 10}
LADDER: Mapping[str, Any] = {"steps": [{"delay_s": 300, "targets": ["ann"]}, {"delay_s": 300, "targets": ["bob"]}]}
Deed = Callable[[Engine, int], Sequence[Any]]


def name_of(host: str) -> str:
    """Return the fingerprint of the alert that `Duty.fires` makes."""
    return fingerprint({"alertname": "Down", "host": host})


class Duty:
    """One system. Everything it decides goes through its stored form; `dies` folds it anew."""

    def __init__(self, schedules: Mapping[str, Schedule] | None = None, **config: Any) -> None:
        ladder = msgspec.convert(config.pop("ladder", LADDER), EscalationPolicy)
        has_ladder = config.pop("has_ladder", True)
        self.kept_open: Sequence[str] = config.pop("kept_open", ())
        whole = {"route": ROUTE, "receivers": {"r": {}}, "resolve_timeout": 100_000, **config}
        self.policy = policy_of(msgspec.convert(whole, AlertingConfig))
        self.receivers = {"r": ReceiverConfig(escalation="duty" if has_ladder else None)}
        self.ladder, self.schedules = ladder, schedules
        self.stored: list[tuple[str, bytes]] = []
        self.out: set[str] = set()
        self.now_ns = 0
        self.dies()

    def dies(self) -> None:
        """What is left are the facts; a successor folds them."""
        self.attention = Attention()
        self.calls = Calls(self.escalator(), self.receivers, kept_open=self.kept_open)
        state = State()
        for kind, body in self.stored:
            known = f.body_of(kind, body)
            if known is not None:
                state.apply(known)
            for rider in (self.attention, self.calls):
                rider.load(kind, body)
        self.engine = Engine(self.policy, state)
        self.calls.engine, self.calls.attention, self.calls.is_out = self.engine, self.attention, self.out.__contains__
        self.answers = Answering(self.attention, self.calls)
        self.keep(self.engine.start(self.now_ns))

    def escalator(self) -> Escalator:
        return Escalator(self.ladder, PEOPLE, policies={"duty": self.ladder}, schedules=self.schedules)

    def keep(self, bodies: Sequence[Any]) -> None:
        self.stored += [(body.kind, msgspec.json.encode(body)) for body in bodies]
        list(self.attention.rows(bodies))

    def turn(self, *deeds: Deed) -> None:
        """Decide the deeds and what follows, and make it durable."""
        decided = [body for deed in deeds for body in deed(self.engine, self.now_ns)]
        decided += self.engine.advance(self.now_ns)
        decided += self.calls.advance(decided, self.now_ns)
        self.keep(decided)

    def passes(self, until_s: float) -> None:
        """Let time pass up to a second of the story; everything that is due on the way happens."""
        until_ns = round(until_s * S)
        while (due_ns := self._due_ns()) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.turn()
        self.now_ns = until_ns
        self.turn()

    def fires(self, *hosts: str) -> None:
        self._posts(dict.fromkeys(hosts))

    def ends(self, *hosts: str) -> None:
        self._posts(dict.fromkeys(hosts, self.now_ns))

    def acknowledges(self, host: str, by: str = "ann", for_s: float | None = None) -> None:
        self.turn(lambda engine, now_ns: self.answers.acknowledge(engine, name_of(host), by, "", for_s, now_ns))

    def snoozes(self, host: str, for_s: float, by: str = "ann") -> None:
        self.turn(lambda engine, now_ns: self.answers.snooze(engine, name_of(host), by, "", for_s, now_ns))

    def escalates(self, host: str, by: str = "ann") -> None:
        self.turn(lambda engine, now_ns: self.answers.escalate(engine, name_of(host), by, "", now_ns))

    def silences(self, matcher: str, until_s: float) -> None:
        """Silence, or end the silence, of one matcher."""
        silence = Silence(
            silence_id=matcher,
            matchers=(matcher,),
            starts_at_ns=self.now_ns,
            ends_at_ns=round(until_s * S),
            created_by="bob",
            comment="known",
        )
        self.turn(lambda engine, now_ns: engine.set_silence(silence, now_ns))

    def listens(self) -> None:
        """Everybody hears the calls that are on their way."""
        self.turn(*[_delivered(self.calls, name) for name in list(self.calls.outbox)])

    def does_not_listen(self) -> None:
        """The calls that are due find no way out."""
        due = [one.message.notification_id for one in self.calls.due_sends(self.now_ns)]
        self.turn(*[_failed(self.calls, name) for name in due])

    def called(self) -> list[tuple[float, str, list[str]]]:
        """Return every call that became due: when, who, and about which hosts."""
        calls = [(kind, msgspec.json.decode(body)) for kind, body in self.stored]
        hosts = {name_of(host): host for host in "abcdefgh"}
        return [
            (one["at_ns"] / S, one["to"], sorted(hosts[name] for name in one["about"]))
            for kind, one in calls
            if kind == "escalation.contact_due"
        ]

    def kinds(self, prefix: str = "escalation.") -> list[str]:
        return [kind for kind, _ in self.stored if kind.startswith(prefix)]

    def dropped(self) -> list[str]:
        """Return why calls were given up."""
        return [msgspec.json.decode(body)["reason"] for kind, body in self.stored if kind == "call.dropped"]

    def _posts(self, ends_ns: Mapping[str, int | None]) -> None:
        posted = [Posted(labels={"alertname": "Down", "host": host}, ends_at_ns=end) for host, end in ends_ns.items()]
        alerts = [admitted(one, self.now_ns, self.policy.resolve_timeout_ns) for one in posted]
        self.turn(lambda engine, now_ns: engine.receive(alerts, now_ns))

    def _due_ns(self) -> int | None:
        times = [self.engine.next_due_ns(), self.calls.next_due_ns()]
        return min((time for time in times if time is not None), default=None)


def _delivered(calls: Calls, name: str) -> Deed:
    return lambda engine, now_ns: calls.delivered(name, now_ns, "200")


def _failed(calls: Calls, name: str) -> Deed:
    return lambda engine, now_ns: calls.failed(name, now_ns, "503")
