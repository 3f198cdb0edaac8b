"""What may go wrong between us and the simulated venue, one fault a row of the script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Chance = Callable[[], float]


class Effect(Enum):
    """What happens to a call or to a report on the stream."""

    NO_ANSWER = "no_answer"  # call: done at the venue, never answered (a ghost)
    LOST = "lost"  # call: never reaches the venue, never answered
    LATE = "late"  # call: never answered, reaches the venue `delay_s` later; report: delivered later
    NOT_SENT = "not_sent"  # call: fails before a byte leaves
    REFUSED = "refused"  # call: a definite no
    HOLLOW = "hollow"  # cancel: answered with the order as it is, and never done
    DROPPED = "dropped"  # report: lost while the stream stays up
    TWICE = "twice"  # report: delivered two times
    SWAPPED = "swapped"  # report: delivered after the next one


@dataclass
class Fault:
    """Strikes the next `times` calls named `on` ("submit", "cancel", "order", ..., "report", or "*").

    With `ratio` below 1 each matching call is struck by chance and only strikes are counted.
    """

    on: str
    effect: Effect
    times: int = 1
    delay_s: float = 0.0
    ratio: float = 1.0
    cl_ord_id: str = ""


class FaultScript:
    """The faults still to come; the first that matches strikes."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        """Heal the venue."""
        self._faults.clear()

    def strike(self, on: str, cl_ord_id: str = "") -> Fault | None:
        """Return the fault that strikes this call, used up by one, or None."""
        for fault in self._faults:
            if fault.on not in (on, "*") or fault.cl_ord_id not in ("", cl_ord_id) or fault.times <= 0:
                continue
            if (fault.on == "*") and on == "report":
                continue  # calls and reports have effects of their own
            if fault.ratio >= 1 or self._chance() < fault.ratio:
                fault.times -= 1
                return fault
        return None
