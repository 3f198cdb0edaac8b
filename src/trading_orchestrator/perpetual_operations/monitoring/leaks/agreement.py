"""What else grew while memory did: more signals of the process, each by its lower envelope. They raise no suspicion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading_orchestrator.perpetual_operations.monitoring.leaks.floors import Floors
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import blocks_of, drift, still_grows
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

OBJECTS = "Python's objects"
SURELY = 3.0


def signals(sample: Sample, objects: int) -> Mapping[str, float]:
    """Return what is looked at beside resident memory, by the name that a sentence has for it.

    Args:
        objects: blocks that Python's allocator has given out (sys.getallocatedblocks).
    """
    return {
        "unshared memory": sample.process_uss_bytes,
        OBJECTS: objects,
        "threads": sample.process_threads,
        "descriptors": sample.process_descriptors,
    }


class Agreement:
    """The envelopes of these signals over one window."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._floors: dict[str, Floors] = {}

    def note(self, at_s: float, values: Mapping[str, float]) -> None:
        """Take each signal's value."""
        count = blocks_of(self._window_s)
        for name, value in values.items():
            floors = self._floors.get(name) or self._floors.setdefault(name, Floors(self._window_s / count, count))
            floors.add(at_s, value)

    def clear(self) -> None:
        """Forget everything: the process is not what it was."""
        self._floors.clear()

    @property
    def rising(self) -> Sequence[str]:
        """Return the signals that grew over the whole window, by more than chance explains, and still do."""
        return tuple(name for name, floors in self._floors.items() if floors.is_full and _rises(floors.values))


def _rises(floors: Sequence[float]) -> bool:
    return floors[-1] > floors[0] and drift(floors) >= SURELY and still_grows(floors)
