"""Silences: who asked for quiet, about what, and from when to when."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.labels import Labels


class SilenceRefused(Refused):
    """A silence cannot be set. Facts: silence_id."""

    code = "alerts.silence_refused"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """One silence; it acts from `starts_at_ns` to `ends_at_ns`, both included."""

    silence_id: str
    matchers: tuple[str, ...]
    starts_at_ns: int
    ends_at_ns: int
    created_by: str = ""
    comment: str = ""

    def is_active(self, now_ns: int) -> bool:
        """Return whether it acts now."""
        return self.starts_at_ns <= now_ns <= self.ends_at_ns

    def is_expired(self, now_ns: int) -> bool:
        """Return whether it will never act again."""
        return self.ends_at_ns < now_ns


def checked(silence: Silence, now_ns: int) -> Silence:
    """Return the silence as it will be kept: it cannot begin in the past.

    Raises:
        SilenceRefused: it ends before it begins or in the past, or would silence everything.
        MatcherRefused: a matcher cannot be read.
    """
    parsed = m.parse_matchers(silence.matchers)
    if all(one.matches({}) for one in parsed):
        raise SilenceRefused("expected a matcher that does not match the empty string", silence_id=silence.silence_id)
    starts_at_ns = max(silence.starts_at_ns, now_ns)
    if silence.ends_at_ns < starts_at_ns:
        raise SilenceRefused("expected an end after the begin and after now", silence_id=silence.silence_id)
    return msgspec.structs.replace(silence, starts_at_ns=starts_at_ns)


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
    """Answers which silences cover a label set; it parses each silence's matchers once."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, ...], tuple[m.Matcher, ...]] = {}

    def covering(self, labels: Labels, silences: Iterable[Silence], now_ns: int) -> list[str]:
        """Return the ids of the active silences that cover the labels."""
        return [
            silence.silence_id
            for silence in silences
            if silence.is_active(now_ns) and m.all_match(self._matchers(silence.matchers), labels)
        ]

    def _matchers(self, texts: tuple[str, ...]) -> tuple[m.Matcher, ...]:
        if texts not in self._parsed:
            self._parsed[texts] = m.parse_matchers(texts)
        return self._parsed[texts]
