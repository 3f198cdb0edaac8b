"""Which silences are taken, and which end by themselves: because nothing they cover fires, or they cover nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
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
PATIENCE_NS = 300_000_000_000
RECORDED_A_SPAN = 20  # a start takes a silence for at most a twentieth of its span longer unused than it was


class Tending:
    """Looks after the silences of a state. `alert_of` tells how an alert is now."""

    def __init__(
        self, state: State, silencer: Silencer, alert_of: Callable[[str], Alert | None], lead: Lead | None = None
    ) -> None:
        self._state = state
        self._silencer = silencer
        self._alert_of = alert_of
        self._lead = lead or Lead()

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
            return checked(silence, self._lead.wall_ns(now_ns))
        if not can_change(old, silence, self._lead.wall_ns(now_ns)):
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
            if not one.until_resolved or one.is_expired(self._lead.wall_ns(now_ns)):
                continue
            is_concerned = any(self._silencer.covers(one, self._state.alerts[name].labels) for name in names)
            if is_concerned and not self.covers_firing(one, now_ns):
                yield one, "nothing it covers fires any more"

    def used(self, now_ns: int) -> tuple[str, ...]:
        """Return the silences of which it is time to record that they are used."""
        return tuple(
            one.silence_id
            for one in self._ending_unused(now_ns)
            if now_ns - self._state.used_ns.get(one.silence_id, 0) >= _allowed_ns(one) // RECORDED_A_SPAN
            and self.covers_firing(one, now_ns)
        )

    def unused(self, now_ns: int) -> Iterator[Over]:
        """Yield the silences that have covered nothing for long enough, and why they end.

        None soon after a start: what it covers may only not have been heard of again.
        """
        for one in self._ending_unused(now_ns):
            since_ns = max(self._state.used_ns.get(one.silence_id, 0), self._lead.own_ns(one.starts_at_ns))
            patient_until_ns = self._state.started_at_ns + min(_allowed_ns(one), PATIENCE_NS)
            if now_ns < max(since_ns + _allowed_ns(one), patient_until_ns) or self.covers_firing(one, now_ns):
                continue
            yield one, f"it covered nothing for {one.unused_for_s:g} s"

    def _ending_unused(self, now_ns: int) -> Iterator[Silence]:
        wall_ns = self._lead.wall_ns(now_ns)
        return (one for one in self._state.silences.values() if one.unused_for_s is not None and one.is_active(wall_ns))


def _allowed_ns(silence: Silence) -> int:
    return round((silence.unused_for_s or 0.0) * 1e9)
