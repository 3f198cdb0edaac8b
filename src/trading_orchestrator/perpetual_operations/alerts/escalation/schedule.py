"""Who is on call when: rotations that hand over by the local clock, windows in which they count, and overrides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.time_intervals import (
    TimeInterval,
    TimeIntervalConfig,
    TimeIntervalRefused,
    checked,
)

Count = Annotated[int, Meta(ge=1)]
DAYS: Mapping[str, int] = {"daily": 1, "weekly": 7}
HOUR_NS = 3_600_000_000_000


class ScheduleRefused(Refused):
    """A schedule cannot be used as written. Facts: schedule, key."""

    code = "alerts.schedule_refused"


class RotationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """People who take turns.

    people: in their order. start: when the first one begins, by the schedule's clock, e.g. `2026-11-23T09:00`.
    turns, every: a turn lasts so many days, weeks or hours. Daily and weekly turns begin at the same time on the
        clock all year round; hours are counted, so they move against the clock when it changes.
    only: the rotation counts only within one of these; by the schedule's clock unless `location` says otherwise.
    """

    people: Annotated[tuple[str, ...], Meta(min_length=1)]
    start: str
    turns: Literal["daily", "weekly", "hourly"] = "weekly"
    every: Count = 1
    only: tuple[TimeIntervalConfig, ...] = ()


class ScheduleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rotations side by side: whoever has the turn in any of them is on call."""

    time_zone: str = "UTC"
    rotations: Annotated[tuple[RotationConfig, ...], Meta(min_length=1)]


@dataclass(frozen=True)
class Rotation:
    """A checked rotation."""

    people: tuple[str, ...]
    start: datetime
    turns: str
    every: int
    zone: ZoneInfo
    windows: tuple[TimeInterval, ...]

    def on_call(self, at_ns: int) -> str | None:
        """Return who has the turn, or None before the first one and outside the windows."""
        turn = self.turn(at_ns)
        if turn < 0 or (self.windows and not any(window.contains(at_ns) for window in self.windows)):
            return None
        return self.people[turn % len(self.people)]

    def turn(self, at_ns: int) -> int:
        """Return the number of the turn, the first being 0; negative before it."""
        if self.turns == "hourly":
            return (at_ns - self.begins_ns(0)) // (self.every * HOUR_NS)
        local = datetime.fromtimestamp(at_ns // 1_000_000_000, self.zone).replace(tzinfo=None)
        turn = (local - self.start) // timedelta(days=DAYS[self.turns] * self.every)
        # When an hour comes twice, the clock alone would give the turn back.
        return turn + 1 if self.begins_ns(turn + 1) <= at_ns else turn

    def begins_ns(self, turn: int) -> int:
        """Return when a turn begins."""
        if self.turns == "hourly":
            return _ns(self.start, self.zone) + turn * self.every * HOUR_NS
        return _ns(self.start + turn * timedelta(days=DAYS[self.turns] * self.every), self.zone)


@dataclass(frozen=True)
class Schedule:
    """A checked schedule."""

    name: str
    zone: ZoneInfo
    rotations: tuple[Rotation, ...]

    def on_call(self, at_ns: int) -> tuple[str, ...]:
        """Return who is on call, without overrides, in the order of the rotations."""
        found = [rotation.on_call(at_ns) for rotation in self.rotations]
        return tuple(dict.fromkeys(person for person in found if person is not None))

    def edges_ns(self, from_ns: int, until_ns: int) -> Iterator[int]:
        """Yield every instant at which somebody's turn may begin or end, and more."""
        for rotation in self.rotations:
            turn = max(0, rotation.turn(from_ns))
            while (begins_ns := rotation.begins_ns(turn)) < until_ns:
                yield begins_ns
                turn += 1
            for window in rotation.windows:
                yield from _window_edges_ns(window, from_ns, until_ns)


def checked_schedules(configs: Mapping[str, ScheduleConfig], people: Collection[str]) -> dict[str, Schedule]:
    """Return the schedules.

    Raises:
        ScheduleRefused: the sentence names schedule and key.
    """
    return {name: _checked(name, config, people) for name, config in configs.items()}


def moment_ns(schedule: Schedule, key: str, text: str) -> int:
    """Return a moment that a person wrote, by the schedule's clock unless it names an offset of its own.

    Raises:
        ScheduleRefused: it is none; the sentence names the key.
    """
    try:
        at = datetime.fromisoformat(text)
        return _ns(at, schedule.zone) if at.tzinfo is None else round(at.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        said = f"expected a time such as 2026-11-23T09:00 by the clock of {schedule.zone.key}, was {text!r}"
        raise _refused(schedule.name, key, said) from None


def _checked(name: str, config: ScheduleConfig, people: Collection[str]) -> Schedule:
    try:
        zone = ZoneInfo(config.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise _refused(name, "time_zone", f"no time zone is named {config.time_zone!r}") from None
    rotations = [
        _rotation(name, f"rotations.{number}", rotation, zone, people)
        for number, rotation in enumerate(config.rotations)
    ]
    return Schedule(name, zone, tuple(rotations))


def _rotation(name: str, key: str, config: RotationConfig, zone: ZoneInfo, people: Collection[str]) -> Rotation:
    for person in config.people:
        if person not in people:
            raise _refused(name, f"{key}.people", f"nobody is named {person!r}; known: {sorted(people)}")
    try:
        start = datetime.fromisoformat(config.start)
    except ValueError:
        start = None
    if start is None or start.tzinfo is not None:
        example = "2026-11-23T09:00"
        raise _refused(name, f"{key}.start", f"expected a local time such as {example}, was {config.start!r}")
    try:
        windows = tuple(checked(_by_its_clock(window, zone)) for window in config.only)
    except TimeIntervalRefused as error:
        raise _refused(name, f"{key}.only", error.message) from None
    return Rotation(config.people, start, config.turns, config.every, zone, windows)


def _by_its_clock(window: TimeIntervalConfig, zone: ZoneInfo) -> TimeIntervalConfig:
    return window if window.location != "UTC" else msgspec.structs.replace(window, location=zone.key)


def _window_edges_ns(window: TimeInterval, from_ns: int, until_ns: int) -> Iterator[int]:
    """Yield midnights and the ends of the window's times, twice where the clock shows them twice, and full hours.

    The hours stand for what a change of the clock cuts off.
    """
    yield from range(from_ns - from_ns % HOUR_NS, until_ns, HOUR_NS)
    day = datetime.fromtimestamp(from_ns // 1_000_000_000, window.zone).replace(hour=0, minute=0, second=0, tzinfo=None)
    while _ns(day, window.zone) < until_ns:
        for minutes in {0, *(minute for span in window.minutes for minute in span)}:
            at = day + timedelta(minutes=minutes)
            yield from {_ns(at.replace(fold=fold), window.zone) for fold in (0, 1)}
        day += timedelta(days=1)


def _ns(local: datetime, zone: ZoneInfo) -> int:
    return round(local.replace(tzinfo=zone).astimezone(UTC).timestamp()) * 1_000_000_000


def _refused(schedule: str, key: str, reason: str) -> ScheduleRefused:
    return ScheduleRefused(f"schedule {schedule}: {key}: {reason}", schedule=schedule, key=key)
