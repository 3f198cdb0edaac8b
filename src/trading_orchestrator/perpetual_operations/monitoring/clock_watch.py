"""ClockWatch: a wall clock that stepped stays in question until somebody else's clock agrees with it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

FAILURE = "clock.off"
OFF_S = 0.5  # half of a validity window: beyond it a venue may refuse what we send
HELD_S = 120.0  # longer than its ladder, so that a person hears of a step that nobody could check
FRESH_S = 120.0
KERNEL = "the kernel's reference"
Measure = Callable[[], Awaitable[float]]


class NobodyTellsTheTime(Transient):
    """No reference could be asked, so nobody knows whether the clock is right."""

    code = "clock.nobody_tells"


class ClockWatch:
    """One event loop. Ages are counted on a clock that cannot step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._references: dict[str, Measure] = {}
        self._offsets: dict[str, tuple[float, int]] = {}
        self._step_s = 0.0
        self._stepped_ns: int | None = None
        self._kernel_s: float | None = None

    def add_reference(self, name: str, measure: Measure) -> None:
        """Let `measure` be asked for the difference to another clock, in seconds."""
        self._references[name] = measure

    def heard(self, name: str, offset_s: float) -> None:
        """A reference told its difference unasked; one within the limit proves that a step did no harm."""
        self._offsets[name] = (offset_s, self._clock.monotonic_ns())
        if abs(offset_s) <= OFF_S:
            self._stepped_ns = None

    def note(self, sample: Sample) -> None:
        """Take what a sample tells of the clock."""
        self._kernel_s = sample.clock_offset_s
        if abs(sample.clock_step_s) > OFF_S:
            self._step_s, self._stepped_ns = sample.clock_step_s, self._clock.monotonic_ns()

    def health(self) -> Health:
        """Return whether the clock is off, or stepped and was not found right since."""
        for name, offset_s in self._known().items():
            if abs(offset_s) > OFF_S:
                return Health(HealthState.UNHEALTHY, f"our clock differs from {name} by {offset_s:+.3f} s", FAILURE)
        age_s = self._age_s(self._stepped_ns) if self._stepped_ns is not None else HELD_S
        if age_s < HELD_S:
            said = f"the wall clock stepped by {self._step_s:+.1f} s, {age_s:.0f} s ago"
            return Health(HealthState.UNHEALTHY, said, FAILURE)
        told = ", ".join(f"{offset_s:+z.3f} s from {name}" for name, offset_s in self._known().items())
        return Health(HealthState.HEALTHY, told or "it has not stepped")

    async def measure(self) -> str:
        """Ask every reference now, and return what they said; for recovery ladders.

        Raises:
            NobodyTellsTheTime: none could answer.
        """
        failed = []
        for name, ask in self._references.items():
            try:
                self.heard(name, await ask())
            except OrchestratorError as error:
                failed.append(f"{name}: {error.message}")
        if self._kernel_s is not None:
            self.heard(KERNEL, self._kernel_s)
        known = self._known()
        if not known:
            raise NobodyTellsTheTime("; ".join(failed) or "no venue is asked here and nothing disciplines the clock")
        return "measured " + ", ".join(f"{offset_s:+.3f} s from {name}" for name, offset_s in known.items())

    def _known(self) -> dict[str, float]:
        found = {name: offset_s for name, (offset_s, at_ns) in self._offsets.items() if self._age_s(at_ns) < FRESH_S}
        return found if self._kernel_s is None else {**found, KERNEL: self._kernel_s}

    def _age_s(self, at_ns: int) -> float:
        return (self._clock.monotonic_ns() - at_ns) / 1e9
