"""What people answer to an alert: I have it, later, somebody else. Decided in a turn of the alert manager."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.attention import Acknowledged, Attention, Escalated, Snoozed
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import EscalationRefused
from trading_orchestrator.perpetual_operations.alerts.rider import Body

SPAN_S_MAX = 366 * 86_400.0


class NoSuchAlert(Refused):
    """No alert of this fingerprint fires now. Facts: fingerprint."""

    code = "alerts.no_such_alert"


class NoLadder(Refused):
    """Nobody is called about this alert now. Facts: fingerprint."""

    code = "alerts.no_ladder"


class SpanRefused(Refused):
    """A time is not one that can be waited. Facts: span_s."""

    code = "alerts.span_refused"


class Answering:
    """The answers. Each is decided for the ladders of the alert and for the alert itself, or refused as a whole.

    A ladder is about a group: who takes one alert of it takes what its people were called for.
    """

    def __init__(self, attention: Attention, calls: Calls | None) -> None:
        self._attention = attention
        self._calls = calls

    def acknowledge(
        self, engine: Engine, fingerprint: str, by: str, note: str, for_s: float | None, now_ns: int
    ) -> Sequence[Body]:
        """Take it: for `for_s`, or as long as its ladders say, or until it ends.

        Raises:
            NoSuchAlert, SpanRefused: nothing was changed.
        """
        firing(engine, fingerprint, now_ns)
        until_ns = None if for_s is None else now_ns + span_ns(for_s)
        said: list[Body] = []
        ends_ns = [] if until_ns is None else [until_ns]
        for calls, name in self._ladders(fingerprint):
            with suppress(EscalationRefused):  # it is acknowledged already
                said += calls.escalator.acknowledge(name, by, now_ns, note, timeout_s=for_s)
            ladder_ends_ns = calls.escalator.state.open[name].quiet_until_ns
            ends_ns += [] if until_ns is not None or ladder_ends_ns is None else [ladder_ends_ns]
        fact = Acknowledged(
            fingerprint=fingerprint, at_ns=now_ns, by=by, note=note, until_ns=min(ends_ns, default=None)
        )
        return [self._attention.say(fact), *said]

    def snooze(self, engine: Engine, fingerprint: str, by: str, note: str, for_s: float, now_ns: int) -> Sequence[Body]:
        """Call nobody about it for so long; then its ladders begin anew.

        Raises:
            NoSuchAlert, NoLadder, SpanRefused: nothing was changed.
        """
        ladders = self._called(engine, fingerprint, now_ns, "alerts silence` keeps its messages quiet")
        until_ns = now_ns + span_ns(for_s)
        fact = Snoozed(fingerprint=fingerprint, at_ns=now_ns, by=by, until_ns=until_ns, note=note)
        said = [body for calls, name in ladders for body in calls.escalator.snooze(name, by, until_ns, now_ns, note)]
        return [self._attention.say(fact), *said]

    def escalate(self, engine: Engine, fingerprint: str, by: str, note: str, now_ns: int) -> Sequence[Body]:
        """Call the next rung now; nobody has it any more.

        Raises:
            NoSuchAlert, NoLadder: nobody is called about it.
            EscalationRefused: maintenance goes on, or it is kept quiet; nothing was changed.
        """
        ladders = self._called(engine, fingerprint, now_ns, "alerts oncall` says who is on call")
        calls = ladders[0][0]
        pause = calls.escalator.maintenance(now_ns)
        if pause is not None:
            raise EscalationRefused(f"maintenance goes on{_by(pause.by)}: end it before you escalate")
        names = [name for _, name in ladders if not calls.is_kept_quiet(name, now_ns)]
        if not names:
            raise EscalationRefused("it is silenced, inhibited or out of its times: end that before you escalate")
        said: list[Body] = []
        for name in names:
            said += calls.escalator.unmute(name, now_ns)
            said += calls.escalator.escalate(name, by, now_ns, note)
        had = {each for name in names for each in calls.news[name].firing if self._is_had(each, now_ns)}
        handed_on = [Escalated(fingerprint=each, at_ns=now_ns, by=by, note=note) for each in sorted(had)]
        return [*(self._attention.say(fact) for fact in handed_on), *said]

    def _ladders(self, fingerprint: str) -> list[tuple[Calls, str]]:
        calls = self._calls
        return [] if calls is None else [(calls, name) for name in calls.of_alert(fingerprint)]

    def _called(self, engine: Engine, fingerprint: str, now_ns: int, hint: str) -> list[tuple[Calls, str]]:
        name = firing(engine, fingerprint, now_ns).labels.get("alertname", fingerprint)
        found = self._ladders(fingerprint)
        if not found:
            raise NoLadder(f"nobody is called about {name} now: no ladder is climbed; `{hint}", fingerprint=fingerprint)
        return found

    def _is_had(self, fingerprint: str, now_ns: int) -> bool:
        attention = self._attention
        return attention.of(fingerprint, now_ns) is not None or attention.snoozed(fingerprint, now_ns) is not None


def firing(engine: Engine, fingerprint: str, now_ns: int) -> Alert:
    """Return the alert.

    Raises:
        NoSuchAlert: it does not fire.
    """
    alert = engine.alert(fingerprint)
    if alert is None or alert.is_resolved(now_ns):
        raise NoSuchAlert(f"no alert {fingerprint!r} fires now; see `alerts list`", fingerprint=fingerprint)
    return alert


def span_ns(span_s: float) -> int:
    """Return a time in ns.

    Raises:
        SpanRefused: it is none, or longer than a year.
    """
    if not 0 < span_s <= SPAN_S_MAX:
        raise SpanRefused(f"expected a time of more than 0 s and at most 366 days, was {span_s:g} s", span_s=span_s)
    return round(span_s * 1e9)


def _by(person: str) -> str:
    return f" (by {person})" if person else ""
