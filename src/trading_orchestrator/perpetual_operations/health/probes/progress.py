"""Does work that arrives get done: a part that answers every question may have stopped working all the same."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce


class Progress:
    """Judges two counters. Idle is healthy; work that waits and moves nothing for `within_s` is not."""

    def __init__(
        self, done: Callable[[], float], arrived: Callable[[], float], *, within_s: float, clock: Clock
    ) -> None:
        self._done = done
        self._arrived = arrived
        self._within_s = within_s
        self._clock = clock
        self._seen_done = self._seen_arrived = 0.0
        self._waiting_since_ns: int | None = None
        self._is_first = True

    def health(self) -> Health:
        """Return whether it moves; the first look only begins the watch."""
        done, arrived, now_ns = self._done(), self._arrived(), self._clock.monotonic_ns()
        if self._is_first or done != self._seen_done:
            self._is_first, self._waiting_since_ns = False, None
            self._seen_done, self._seen_arrived = done, arrived
        waiting = arrived - self._seen_arrived
        if waiting <= 0:
            return Health(HealthState.HEALTHY, f"{done:g} done, nothing new waits")
        if self._waiting_since_ns is None:
            self._waiting_since_ns = now_ns
        for_s = (now_ns - self._waiting_since_ns) / 1e9
        if for_s > self._within_s:
            said = f"nothing was done for {for_s:.0f} s while {waiting:g} arrived"
            return Health(HealthState.UNHEALTHY, said, "component.stuck")
        return Health(HealthState.HEALTHY, f"{done:g} done, {waiting:g} wait")


def progress_probe(done: Callable[[], float], arrived: Callable[[], float], *, within_s: float, clock: Clock) -> AtOnce:
    """Return a probe over what was done and what arrived, both counted since the start.

    Args:
        within_s: without one thing done for so long after the first that arrived, the part counts as stuck.
    """
    return AtOnce(Progress(done, arrived, within_s=within_s, clock=clock).health)
