"""How the ladders of an alert stand: which rung, who was called, who has it until when, and where nobody was found."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.escalation.state import Escalation


class LadderStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One ladder. `state`: climbs, taken, snoozed, quiet, held or ended.

    rung: counts from 1, and is 0 before the first.
    by, until_ns: whose it is and how long, where somebody has it or holds it.
    next_at_ns: when the next rung is due. nobody: targets behind which nobody was found, and when last.
    """

    ladder: str
    receiver: str
    state: str
    rung: int
    called: tuple[str, ...] = ()
    by: str = ""
    until_ns: int | None = None
    next_at_ns: int | None = None
    nobody: Mapping[str, int] = {}


def ladders_by_alert(calls: Calls | None, now_ns: int) -> Mapping[str, list[LadderStanding]]:
    """Return the open ladders by the fingerprint of each alert that they are about."""
    found: dict[str, list[LadderStanding]] = {}
    for name, one in calls.escalator.state.open.items() if calls is not None else ():
        message = calls.news.get(name) if calls is not None else None
        if calls is None or message is None:
            continue
        standing = _of(calls, one, message.receiver, now_ns)
        for fingerprint in message.firing:
            found.setdefault(fingerprint, []).append(standing)
    return found


def _of(calls: Calls, one: Escalation, receiver: str, now_ns: int) -> LadderStanding:
    state, by, until_ns = _state(calls, one, now_ns)
    return LadderStanding(
        ladder=one.policy,
        receiver=receiver,
        state=state,
        rung=0 if one.step is None else one.step + 1,
        called=tuple(dict.fromkeys(cycle.person for cycle in one.cycles)),
        by=by,
        until_ns=until_ns,
        next_at_ns=one.next_at_ns if state == "climbs" else None,
        nobody=one.nobody,
    )


def _state(calls: Calls, one: Escalation, now_ns: int) -> tuple[str, str, int | None]:
    pause = calls.escalator.maintenance(now_ns)
    if one.is_acknowledged:
        return "snoozed" if one.is_snoozed else "taken", one.quiet_by, one.quiet_until_ns
    if one.is_muted:
        return "quiet", "", None
    if one.has_ended:
        return "ended", "", None
    return ("climbs", "", None) if pause is None else ("held", pause.by, pause.until_ns)
