"""Which silences are taken, and which end by themselves: because nothing they cover fires, or they cover nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.silence import (
    Silence,
    Silencer,
    SilenceRefused,
    can_change,
    check_words,
    checked,
)
from trading_orchestrator.perpetual_operations.alerts.state import State

Over = tuple[Silence, str]


class Tending:
    """Looks after the silences of a state. `alert_of` tells how an alert is now.

    When each covered something last is no fact: a start begins to count anew.
    """

    def __init__(self, state: State, silencer: Silencer, alert_of: Callable[[str], Alert | None]) -> None:
        self._state = state
        self._silencer = silencer
        self._alert_of = alert_of
        self._used_ns: dict[str, int] = {}

    def is_needed(self) -> bool:
        """Return whether any silence may end by itself."""
        return any(one.until_resolved or one.unused_for_s is not None for one in self._state.silences.values())

    def accepted(self, silence: Silence, now_ns: int) -> Silence:
        """Return the silence as it will be kept: new, or a lawful change of the one of this id.

        Raises:
            SilenceRefused: it cannot act, or nobody answers for it; or only another id could follow what it changes.
        """
        old = self._state.silences.get(silence.silence_id)
        if silence.until_resolved and not self.covers_firing(silence, now_ns):
            said = "nothing that it covers fires: there is no end to wait for"
            raise SilenceRefused(said, silence_id=silence.silence_id)
        if old is None:
            return checked(silence, now_ns)
        if not can_change(old, silence, now_ns):
            said = "this change needs a silence of its own: expire the old one"
            raise SilenceRefused(said, silence_id=silence.silence_id)
        check_words(silence)
        return silence

    def covers_firing(self, silence: Silence, now_ns: int) -> bool:
        """Return whether anything fires that it covers."""
        return any(
            self._silencer.covers(silence, alert.labels)
            for name in self._state.alerts
            if (alert := self._alert_of(name)) is not None and not alert.is_resolved(now_ns)
        )

    def without_need(self, changed: Iterable[str], now_ns: int) -> Iterator[Over]:
        """Yield the silences that one of the changed alerts was the last to need, and why they end."""
        names = list(changed)
        for one in self._state.silences.values():
            if not one.until_resolved or one.is_expired(now_ns):
                continue
            is_concerned = any(self._silencer.covers(one, self._state.alerts[name].labels) for name in names)
            if is_concerned and not self.covers_firing(one, now_ns):
                yield one, "nothing it covers fires any more"

    def unused(self, now_ns: int) -> Iterator[Over]:
        """Yield the silences that have covered nothing for long enough, and why they end."""
        for one in self._state.silences.values():
            if one.unused_for_s is None or not one.is_active(now_ns):
                continue
            if self.covers_firing(one, now_ns):
                self._used_ns[one.silence_id] = now_ns
            since_ns = max(self._used_ns.get(one.silence_id, 0), one.starts_at_ns, self._state.started_at_ns)
            if now_ns - since_ns >= round(one.unused_for_s * 1e9):
                yield one, f"it covered nothing for {one.unused_for_s:g} s"
