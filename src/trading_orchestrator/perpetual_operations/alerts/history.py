"""History: every message and every call, to whom, when, and with which answer; one row each, written with its facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.call_ends import CallEndDue
from trading_orchestrator.perpetual_operations.alerts.calls import CallDelivered, CallDropped, CallFailed
from trading_orchestrator.perpetual_operations.alerts.escalation.facts import ContactDue, NobodyFound
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.storage.ports import Put

HISTORY = "alerts/history"
FIRST_TRIES, LAST_TRIES = 3, 7


class Try(msgspec.Struct, frozen=True):
    """One try, and what each channel answered."""

    at_ns: int
    answers: tuple[f.Answer, ...]


class SentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `outcome`: on its way, delivered or dropped; `answer`: what the receiver, or we, said last.

    A rung behind whose target nobody stood is a line too, of the outcome `nobody`: a call that could not be made.
    `log`: what each channel answered to each try, of many the first and the last ones.
    """

    kind: ClassVar[str] = "alert.history_line"
    message_id: str
    receiver: str
    status: str
    about: dict[str, str]
    alerts: int
    at_ns: int
    outcome: str = "on its way"
    ended_at_ns: int | None = None
    tries: int = 0
    answer: str = ""
    log: tuple[Try, ...] = ()


class History:
    """A rider that keeps the messages on their way, and a row of each."""

    name = "history"

    def __init__(self) -> None:
        self._open: dict[str, SentLine] = {}

    def load(self, kind: str, body: bytes) -> None:
        known = _KINDS.get(kind)
        if known is not None:
            self._take(msgspec.json.decode(body, type=known))
        elif kind == SentLine.kind:
            line = msgspec.json.decode(body, type=SentLine)
            self._open[line.message_id] = line

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        return ()

    def next_due_ns(self) -> int | None:
        return None

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        for body in bodies:
            line = self._take(body) if type(body) in _KINDS.values() else None
            if line is not None:
                yield Put(HISTORY, line.message_id, line)

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        return list(self._open.values())

    def _take(self, body: Body) -> SentLine | None:
        match body:
            case f.NotificationDue():
                count = len(body.alerts) + body.unlisted
                line = SentLine(
                    message_id=body.notification_id,
                    receiver=body.receiver,
                    status=body.status,
                    about=body.group_labels,
                    alerts=count,
                    at_ns=body.at_ns,
                )
            case ContactDue():
                line = SentLine(
                    message_id=body.contact_id,
                    receiver=f"{body.to} by {body.channel}",
                    status="call",
                    about={},
                    alerts=len(body.escalations),
                    at_ns=body.at_ns,
                )
            case CallEndDue():
                line = SentLine(
                    message_id=body.contact_id,
                    receiver=f"{body.end.to} by {body.end.channel}",
                    status="end of a call",
                    about=body.end.group_labels,
                    alerts=0,
                    at_ns=body.at_ns,
                )
            case NobodyFound():
                return _not_called(body)
            case f.NotificationFailed() | CallFailed():
                return self._changed(body, outcome="on its way", answer=body.answer, failed=1)
            case f.NotificationDelivered() | CallDelivered():
                return self._changed(body, outcome="delivered", answer=body.answer)
            case f.NotificationDropped() | CallDropped():
                return self._changed(body, outcome="dropped", answer=body.reason)
            case _:
                return None
        self._open[line.message_id] = line
        return line

    def _changed(self, body: Body, *, outcome: str, answer: str, failed: int = 0) -> SentLine | None:
        name = body.contact_id if isinstance(body, CallFailed | CallDelivered | CallDropped) else body.notification_id
        line = self._open.get(name)
        if line is None:
            return None
        line = msgspec.structs.replace(
            line,
            outcome=outcome,
            answer=answer,
            tries=line.tries + 1 if outcome != "dropped" else line.tries,
            log=_logged(line.log, body),
            ended_at_ns=None if failed else body.at_ns,
        )
        if failed:
            self._open[name] = line
        else:
            del self._open[name]
        return line


def _logged(log: tuple[Try, ...], body: Body) -> tuple[Try, ...]:
    if not body.answers:
        return log
    longer = (*log, Try(body.at_ns, body.answers))
    return longer if len(longer) <= FIRST_TRIES + LAST_TRIES else (*longer[:FIRST_TRIES], *longer[-LAST_TRIES:])


def _not_called(body: NobodyFound) -> SentLine:
    key = {"escalation": body.escalation_id, "target": body.target, "at": str(body.at_ns), "rung": str(body.rung)}
    return SentLine(
        message_id=f"nobody-{fingerprint(key)}",
        receiver=body.target,
        status="call",
        about={"ladder": body.policy, "rung": f"rung {body.rung}"},
        alerts=0,
        at_ns=body.at_ns,
        outcome="nobody",
        ended_at_ns=body.at_ns,
        answer="nobody stands there who can be called",
    )


_KINDS: dict[str, type[Body]] = {
    one.kind: one
    for one in (
        f.NotificationDue,
        f.NotificationFailed,
        f.NotificationDelivered,
        f.NotificationDropped,
        ContactDue,
        NobodyFound,
        CallEndDue,
        CallFailed,
        CallDelivered,
        CallDropped,
    )
}
