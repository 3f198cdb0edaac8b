"""When pressure is real and when it is over: it must last to be believed, and ease for longer to be forgotten."""

from __future__ import annotations

from enum import Enum

from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import Reading


class Move(Enum):
    """What a reading calls for."""

    NOTHING = "nothing"
    SHED = "shed"
    RESTORE = "restore"


class Hysteresis:
    """One resource. After each move the wait begins anew, so that a step has time to help before the next.

    has_lasted: pressure was believed, and has not eased since.
    """

    def __init__(self, *, rises_s: float, falls_s: float, ease_ratio: float) -> None:
        self._rises_s = rises_s
        self._falls_s = falls_s
        self._ease_ratio = ease_ratio
        self._pressed_since_s: float | None = None
        self._eased_since_s: float | None = None
        self.has_lasted = False

    @property
    def is_pressed(self) -> bool:
        """Return whether the newest reading was above the limit."""
        return self._pressed_since_s is not None

    def begin_anew(self) -> None:
        """Let ease be waited for from now on: somebody else gave something up."""
        self._eased_since_s = None

    def take(self, at_s: float, reading: Reading) -> Move:
        """Return what to do now."""
        is_pressed, is_eased = reading.ratio > 1, reading.ratio < self._ease_ratio
        self._pressed_since_s = _since(self._pressed_since_s, is_pressed, at_s)
        self._eased_since_s = _since(self._eased_since_s, is_eased, at_s)
        self.has_lasted = self.has_lasted and not is_eased
        if self._pressed_since_s is not None and at_s - self._pressed_since_s >= self._rises_s:
            self._pressed_since_s = at_s
            self.has_lasted = True
            return Move.SHED
        if self._eased_since_s is not None and at_s - self._eased_since_s >= self._falls_s:
            self._eased_since_s = at_s
            return Move.RESTORE
        return Move.NOTHING


def _since(since_s: float | None, holds: bool, at_s: float) -> float | None:
    return (at_s if since_s is None else since_s) if holds else None
