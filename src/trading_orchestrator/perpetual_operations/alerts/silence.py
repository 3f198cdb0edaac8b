"""Silences: who asked for quiet, about what, and from when to when."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.labels import Labels
from trading_orchestrator.perpetual_operations.alerts.time_intervals import TimeInterval, TimeIntervalConfig
from trading_orchestrator.perpetual_operations.alerts.time_intervals import checked as checked_times

ENDLESS_NS = 9_000_000_000_000_000_000  # in the year 2255: what ends a silence comes before


class SilenceRefused(Refused):
    """A silence cannot be set. Facts: silence_id."""

    code = "alerts.silence_refused"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """One silence; it acts from `starts_at_ns` to `ends_at_ns`, both included.

    ends_at_ns: ENDLESS_NS where something else ends it; a silence that nothing ends is refused.
    created_by, comment: its owner and reason; there is none without.
    until_resolved: it ends at the latest when nothing it covers fires any more.
    times: recurring windows; if given, it acts only within one of them.
    unused_for_s: it ends when it has covered nothing for so many seconds.
    """

    silence_id: str
    matchers: tuple[str, ...]
    starts_at_ns: int
    ends_at_ns: int
    created_by: str = ""
    comment: str = ""
    until_resolved: bool = False
    times: tuple[TimeIntervalConfig, ...] = ()
    unused_for_s: float | None = None

    @property
    def is_endless(self) -> bool:
        """Return whether no time ends it."""
        return self.ends_at_ns >= ENDLESS_NS

    def is_active(self, now_ns: int) -> bool:
        """Return whether it acts now."""
        return self.starts_at_ns <= now_ns <= self.ends_at_ns

    def is_expired(self, now_ns: int) -> bool:
        """Return whether it will never act again."""
        return self.ends_at_ns < now_ns


def checked(silence: Silence, now_ns: int) -> Silence:
    """Return the silence as it will be kept: it cannot begin in the past.

    Raises:
        SilenceRefused: it ends before it begins or in the past, would silence everything, or nobody answers for it.
        MatcherRefused, TimeIntervalRefused: a matcher or a window cannot be read.
    """
    check_words(silence)
    parsed = m.parse_matchers(silence.matchers)
    if all(one.matches({}) for one in parsed):
        raise SilenceRefused("expected a matcher that does not match the empty string", silence_id=silence.silence_id)
    starts_at_ns = max(silence.starts_at_ns, now_ns)
    if silence.ends_at_ns < starts_at_ns:
        raise SilenceRefused("expected an end after the begin and after now", silence_id=silence.silence_id)
    return msgspec.structs.replace(silence, starts_at_ns=starts_at_ns)


def check_words(silence: Silence) -> None:
    """Refuse a silence for which nobody answers, or whose windows cannot be read."""
    for value, what in ((silence.created_by, "created_by: who asks for it"), (silence.comment, "comment: why")):
        if not value.strip():
            raise SilenceRefused(f"a silence needs {what}", silence_id=silence.silence_id)
    if silence.is_endless and not silence.until_resolved and silence.unused_for_s is None:
        said = "expected an end: for how long, until what it covers is resolved, or how long unused"
        raise SilenceRefused(said, silence_id=silence.silence_id)
    if silence.unused_for_s is not None and not 0 < silence.unused_for_s < math.inf:
        raise SilenceRefused(
            f"unused_for_s: expected seconds above 0, was {silence.unused_for_s:g}", silence_id=silence.silence_id
        )
    for times in silence.times:
        checked_times(times)


def can_change(old: Silence, new: Silence, now_ns: int) -> bool:
    """Return whether `new` may take the place of `old` instead of following it.

    Source: Alertmanager silence.canUpdate.
    """
    if set(old.matchers) != set(new.matchers) or old.is_expired(now_ns) or new.ends_at_ns < now_ns:
        return False
    return new.starts_at_ns == old.starts_at_ns if old.is_active(now_ns) else new.starts_at_ns >= now_ns


def ended(silence: Silence, now_ns: int) -> Silence:
    """Return the silence ended now; one that never began never will."""
    starts_at_ns = min(silence.starts_at_ns, now_ns)
    return msgspec.structs.replace(silence, starts_at_ns=starts_at_ns, ends_at_ns=now_ns - 1)


class Silencer:
    """Answers which silences cover a label set; it parses each silence's matchers and windows once."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, ...], tuple[m.Matcher, ...]] = {}
        self._windows: dict[tuple[TimeIntervalConfig, ...], tuple[TimeInterval, ...]] = {}

    def acting(self, silences: Iterable[Silence], now_ns: int) -> list[Silence]:
        """Return the silences that act now."""
        return [one for one in silences if one.is_active(now_ns) and self._is_in_window(one, now_ns)]

    def covering(self, labels: Labels, silences: Iterable[Silence], now_ns: int) -> list[str]:
        """Return the ids of the acting silences that cover the labels."""
        return [one.silence_id for one in self.acting(silences, now_ns) if self.covers(one, labels)]

    def covers(self, silence: Silence, labels: Labels) -> bool:
        """Return whether its matchers take the labels, whenever it acts."""
        return m.all_match(self._matchers(silence.matchers), labels)

    def forget_others(self, silences: Iterable[Silence]) -> None:
        """Forget what was parsed for silences that are no more."""
        kept = list(silences)
        self._parsed = {texts: self._parsed[texts] for one in kept if (texts := one.matchers) in self._parsed}
        self._windows = {times: self._windows[times] for one in kept if (times := one.times) in self._windows}

    def _is_in_window(self, silence: Silence, now_ns: int) -> bool:
        if not silence.times:
            return True
        if silence.times not in self._windows:
            self._windows[silence.times] = tuple(checked_times(times) for times in silence.times)
        return any(window.contains(now_ns) for window in self._windows[silence.times])

    def _matchers(self, texts: tuple[str, ...]) -> tuple[m.Matcher, ...]:
        if texts not in self._parsed:
            self._parsed[texts] = m.parse_matchers(texts)
        return self._parsed[texts]
