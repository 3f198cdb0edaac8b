"""Named spans of calendar time, in Alertmanager's words: times, weekdays, days_of_month, months, years, location."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name)


class TimeIntervalRefused(Refused):
    """A time interval cannot be used as written. Facts: text."""

    code = "alerts.time_interval_refused"


TimeOfDay = Annotated[str, Meta(pattern=r"^((([01][0-9])|(2[0-3])):[0-5][0-9]|24:00)$")]


class TimesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `start_time` up to, not including, `end_time`; HH:MM, 24:00 ends a day."""

    start_time: TimeOfDay
    end_time: TimeOfDay


class TimeIntervalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All given fields must contain the instant; of each, one entry is enough. UTC unless `location` says otherwise."""

    times: tuple[TimesConfig, ...] = ()
    weekdays: tuple[str, ...] = ()
    days_of_month: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    location: str = "UTC"


@dataclass(frozen=True)
class TimeInterval:
    """A checked interval."""

    minutes: tuple[tuple[int, int], ...]
    weekdays: tuple[tuple[int, int], ...]
    days: tuple[tuple[int, int], ...]
    months: tuple[tuple[int, int], ...]
    years: tuple[tuple[int, int], ...]
    zone: ZoneInfo

    def contains(self, at_ns: int) -> bool:
        """Return whether the instant lies within."""
        local = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        weekday = (local.weekday() + 1) % 7
        return (
            (not self.minutes or any(begin <= minute < end for begin, end in self.minutes))
            and _within(weekday, self.weekdays)
            and (not self.days or any(_day_within(local, begin, end) for begin, end in self.days))
            and _within(local.month, self.months)
            and _within(local.year, self.years)
        )


Intervals = Mapping[str, Sequence[TimeInterval]]


def checked(config: TimeIntervalConfig) -> TimeInterval:
    """Return the interval.

    Raises:
        TimeIntervalRefused: the sentence names the text that is wrong.
    """
    try:
        zone = ZoneInfo(config.location)
    except (ZoneInfoNotFoundError, ValueError):
        raise TimeIntervalRefused(f"no time zone is named {config.location!r}", text=config.location) from None
    return TimeInterval(
        minutes=tuple(_minutes(times) for times in config.times),
        weekdays=tuple(_range(text, _named(_WEEKDAYS, 0)) for text in config.weekdays),
        days=tuple(_days(text) for text in config.days_of_month),
        months=tuple(_range(text, _named(_MONTHS, 1)) for text in config.months),
        years=tuple(_range(text, int) for text in config.years),
        zone=zone,
    )


def any_contains(intervals: Intervals, names: Sequence[str], at_ns: int) -> bool:
    """Return whether the instant lies within one of the named intervals."""
    return any(interval.contains(at_ns) for name in names for interval in intervals.get(name, ()))


def _within(value: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return not ranges or any(begin <= value <= end for begin, end in ranges)


def _day_within(local: datetime, begin: int, end: int) -> bool:
    """Negative days count from the month's end; days beyond it are drawn back to it."""
    length = calendar.monthrange(local.year, local.month)[1]
    begin = length + begin + 1 if begin < 0 else begin
    end = length + end + 1 if end < 0 else end
    return begin <= length and max(begin, -length) <= local.day <= min(end, length)


def _minutes(times: TimesConfig) -> tuple[int, int]:
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (times.start_time, times.end_time))
    if not begin < end <= 24 * 60:
        text = f"{times.start_time}-{times.end_time}"
        raise TimeIntervalRefused(f"expected start_time before end_time, 24:00 at the latest, was {text}", text=text)
    return begin, end


def _named(names: Sequence[str], first: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.lower() in names[first:]:
            return names.index(text.lower())
        value = int(text)
        if not first <= value < len(names):
            raise ValueError(text)
        return value

    return number


def _range(text: str, number: Callable[[str], int]) -> tuple[int, int]:
    begin, _, end = text.strip().partition(":")
    try:
        found = number(begin.strip()), number((end or begin).strip())
    except ValueError:
        raise TimeIntervalRefused(f"expected one value or begin:end, was {text!r}", text=text) from None
    if found[0] > found[1]:
        raise TimeIntervalRefused(f"expected the begin before the end, was {text!r}", text=text)
    return found


def _days(text: str) -> tuple[int, int]:
    begin, _, end = text.strip().partition(":")
    try:
        found = int(begin), int(end or begin)
    except ValueError:
        raise TimeIntervalRefused(f"expected a day or begin:end, was {text!r}", text=text) from None
    if any(not 1 <= abs(day) <= 31 for day in found) or (found[0] < 0 < found[1]):
        raise TimeIntervalRefused(f"expected days from 1 to 31 or -31 to -1, was {text!r}", text=text)
    return found
