"""Who is on call now and next, overrides included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts.escalation.facts import OverrideSet
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import Schedule

LOOK_AHEAD_NS = 35 * 86_400_000_000_000


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """These people are on call from `from_ns` up to, not including, `until_ns`."""

    people: tuple[str, ...]
    from_ns: int
    until_ns: int


class NowAndNext(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on call; `next` None: nothing changes for as long as we look ahead."""

    schedule: str
    now: Shift
    next: Shift | None


def on_call(schedule: Schedule, overrides: Iterable[OverrideSet], at_ns: int) -> tuple[str, ...]:
    """Return who is on call."""
    people = list(schedule.on_call(at_ns))
    for one in overrides:
        if one.schedule != schedule.name or not one.starts_at_ns <= at_ns < one.ends_at_ns:
            continue
        if not one.instead_of:
            people.append(one.person)
        elif one.instead_of in people:
            people[people.index(one.instead_of)] = one.person
    return tuple(dict.fromkeys(person for person in people if person))


def shifts(schedule: Schedule, overrides: Sequence[OverrideSet], from_ns: int, until_ns: int) -> list[Shift]:
    """Return who is on call throughout a time, each stretch as long as nobody comes or goes."""
    edges = {*schedule.edges_ns(from_ns, until_ns), from_ns}
    edges |= {at_ns for one in overrides for at_ns in (one.starts_at_ns, one.ends_at_ns)}
    found: list[Shift] = []
    for at_ns in sorted(at_ns for at_ns in edges if from_ns <= at_ns < until_ns):
        people = on_call(schedule, overrides, at_ns)
        if found and found[-1].people == people:
            continue
        if found:
            found[-1] = msgspec.structs.replace(found[-1], until_ns=at_ns)
        found.append(Shift(people=people, from_ns=at_ns, until_ns=until_ns))
    return found


def now_and_next(schedule: Schedule, overrides: Sequence[OverrideSet], now_ns: int) -> NowAndNext:
    """Return who is on call now, until when, and who then."""
    now, *later = shifts(schedule, overrides, now_ns, now_ns + LOOK_AHEAD_NS)
    return NowAndNext(schedule=schedule.name, now=now, next=later[0] if later else None)
