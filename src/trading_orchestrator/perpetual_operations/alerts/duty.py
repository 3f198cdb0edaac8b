"""Duty: maintenance, in which nobody new is called, and people who stand in for each other on a schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.answering import span_ns
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.facts import OverrideSet, Paused
from trading_orchestrator.perpetual_operations.alerts.escalation.on_call import NowAndNext
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import moment_ns
from trading_orchestrator.perpetual_operations.alerts.rider import Body

Ask = Callable[[Callable[[Engine, int], Sequence[Body]]], Awaitable[None]]


class DutyRefused(Refused):
    """What was asked for has nothing to act on, or nobody answers for it. Facts: key."""

    code = "alerts.duty_refused"


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """An override as it is asked for.

    from_, until: `2026-11-23T09:00` by the schedule's clock, or with an offset; no begin is now.
    for_s: how long, instead of `until`.
    """

    override_id: str
    schedule: str
    by: str
    person: str = ""
    instead_of: str = ""
    reason: str = ""
    from_: str = ""
    until: str = ""
    for_s: float | None = None


class Duty:
    """What operators change about who is called. Everything is durable when a method returns.

    Every method raises, besides what it names: AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask
    again.
    """

    def __init__(self, calls: Calls | None, now_ns: Callable[[], int], ask: Ask) -> None:
        self._calls = calls
        self._now_ns = now_ns
        self._ask = ask

    async def begin_maintenance(self, *, for_s: float, by: str, reason: str) -> None:
        """Climb no rung for so long, or change how long; people who were called already go on being called.

        Raises:
            DutyRefused: no ladder is configured, or nobody answers for it. SpanRefused: it is no time.
        """
        _check_words(by=by, reason=reason)
        escalator = self._escalator()
        if not escalator.policies:
            raise DutyRefused("no ladder is configured: there is nothing to hold", key="escalations")
        span = span_ns(for_s)
        await self._ask(lambda _, now_ns: escalator.pause(now_ns + span, now_ns, by=by, reason=reason))

    async def end_maintenance(self, *, by: str) -> None:
        """Climb again, at once where a rung became due meanwhile.

        Raises:
            DutyRefused: there is none, or nobody answers for it.
        """
        _check_words(by=by)
        escalator = self._escalator()
        if self.maintenance() is None:
            raise DutyRefused("no maintenance goes on", key="maintenance")
        await self._ask(lambda _, now_ns: escalator.pause(now_ns, now_ns, by=by))

    def maintenance(self) -> Paused | None:
        """Return the maintenance that goes on."""
        return None if self._calls is None else self._calls.escalator.maintenance(self._now_ns())

    async def stand_in(self, wanted: StandIn) -> OverrideSet:
        """Put somebody on call besides or instead of another, or take one off; return what holds.

        Raises:
            ScheduleRefused: schedule, person or time cannot be; the sentence says which, and what is known.
            DutyRefused: nobody answers for it. SpanRefused: it is no time.
        """
        _check_words(by=wanted.by)
        escalator = self._escalator()
        override = _override(wanted, escalator, escalator.lead.wall_ns(self._now_ns()))

        def deed(_: Engine, now_ns: int) -> Sequence[Body]:
            return escalator.override(msgspec.structs.replace(override, at_ns=escalator.lead.wall_ns(now_ns)))

        await self._ask(deed)
        return override

    async def end_stand_in(self, override_id: str, *, by: str) -> None:
        """Take an override back.

        Raises:
            DutyRefused: there is none of this id, or nobody answers for it.
        """
        _check_words(by=by)
        escalator = self._escalator()
        if override_id not in escalator.state.overrides:
            raise DutyRefused(f"no override has the id {override_id!r}; see `alerts oncall overrides`", key="id")
        await self._ask(lambda _, now_ns: escalator.end_override(override_id, by, now_ns))

    def overrides(self) -> list[OverrideSet]:
        """Return those that act or will, in the order of their begin."""
        several = () if self._calls is None else self._calls.escalator.state.overrides.values()
        return sorted(several, key=lambda one: (one.starts_at_ns, one.override_id))

    def on_call(self) -> list[NowAndNext]:
        """Return who is on call now and next, by schedule."""
        if self._calls is None:
            return []
        escalator = self._calls.escalator
        return [escalator.on_call(name, self._now_ns()) for name in escalator.schedules]

    def _escalator(self) -> Escalator:
        if self._calls is None:
            raise DutyRefused("no ladder and no schedule is configured", key="escalations")
        return self._calls.escalator


def _override(wanted: StandIn, escalator: Escalator, now_ns: int) -> OverrideSet:
    schedule = escalator.schedule(wanted.schedule)
    starts_at_ns = moment_ns(schedule, "from", wanted.from_) if wanted.from_ else now_ns
    if bool(wanted.until) == (wanted.for_s is not None):
        raise DutyRefused("override: expected either `until` or how long", key="until")
    if wanted.for_s is not None:
        ends_at_ns = starts_at_ns + span_ns(wanted.for_s)
    else:
        ends_at_ns = moment_ns(schedule, "until", wanted.until)
    return OverrideSet(
        override_id=wanted.override_id,
        at_ns=now_ns,
        schedule=wanted.schedule,
        starts_at_ns=max(starts_at_ns, now_ns),
        ends_at_ns=ends_at_ns,
        person=wanted.person,
        instead_of=wanted.instead_of,
        by=wanted.by,
        reason=wanted.reason,
    )


def _check_words(**words: str) -> None:
    for key, value in words.items():
        if not value.strip():
            what = "who asks for it" if key == "by" else "why"
            raise DutyRefused(f"{key}: expected {what}, was empty", key=key)
