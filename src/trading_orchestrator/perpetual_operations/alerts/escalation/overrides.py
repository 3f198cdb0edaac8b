"""Which overrides of a schedule make sense."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from trading_orchestrator.perpetual_operations.alerts.escalation.facts import OverrideSet
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import Schedule, ScheduleRefused

AHEAD_NS_MAX = 366 * 86_400_000_000_000


def schedule_named(name: str, schedules: Mapping[str, Schedule]) -> Schedule:
    """Return the schedule.

    Raises:
        ScheduleRefused: none has this name.
    """
    found = schedules.get(name)
    if found is None:
        said = f"no schedule is named {name!r}; known: {sorted(schedules)}"
        raise ScheduleRefused(said, schedule=name, key="schedule")
    return found


def check_override(override: OverrideSet, schedules: Mapping[str, Schedule], people: Collection[str]) -> None:
    """Refuse an override of what is not there, or one that could never act.

    Raises:
        ScheduleRefused: no schedule or no person has this name, or it ends before it begins or in the past.
    """
    schedule_named(override.schedule, schedules)
    only_takes_off = bool(override.instead_of) and not override.person
    named = {} if only_takes_off else {"person": override.person}
    if override.instead_of:
        named["instead_of"] = override.instead_of
    for key, name in named.items():
        if name not in people:
            said = f"override: {key}: nobody is named {name!r}; known: {sorted(people)}"
            raise ScheduleRefused(said, schedule=override.schedule, key=key)
    if override.ends_at_ns <= max(override.starts_at_ns, override.at_ns):
        said = "override: expected an end after its begin and after now"
        raise ScheduleRefused(said, schedule=override.schedule, key="ends_at_ns")
    if override.ends_at_ns > override.at_ns + AHEAD_NS_MAX:
        said = "override: expected an end within the next 366 days"
        raise ScheduleRefused(said, schedule=override.schedule, key="ends_at_ns")
