"""Why a desk cannot start: its venue is away, or refuses its key. It is tried again for as long as that lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trading_orchestrator.brokers.port import KeyRefused
from trading_orchestrator.errors import Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState

LONG_S = 5.0
"""A venue that is away is named by its own probe sooner; then the desk is affected, and no failure of its own."""


class CannotStart(Transient):
    """The venue does not let the desk start now. Facts: cause, the code of what it said."""

    code = "desk.cannot_start"


@contextmanager
def asking_its_venue(venue: str, silence: type[Transient]) -> Iterator[None]:
    """Say in one kind of error what keeps a desk from starting at its venue, and let it be tried again.

    A question without an answer has changed nothing. A key may be let in again at the venue, and meanwhile the process
    has to live: it serves the console, and may have other desks.

    Args:
        silence: what is raised here when the venue was not reached; other Transients are not the venue's.
    """
    try:
        yield
    except (KeyRefused, Unknown, silence) as error:
        does = "refuses the key" if isinstance(error, KeyRefused) else "does not answer"
        raise CannotStart(
            f"its venue {venue} {does} ({error.message})",
            retry_after_s=getattr(error, "retry_after_s", None),
            cause=error.code,
        ) from error


class WaitingToStart:
    """Since when and why the desk is held up; falsy while it is not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._why = ""
        self._since_ns = 0

    def __bool__(self) -> bool:
        return bool(self._why)

    def told(self, why: str) -> None:
        """Hear why, "" when it is over."""
        if why and not self._why:
            self._since_ns = self._clock.monotonic_ns()
        self._why = why

    def health(self) -> Health:
        """Return what an operator should know of it."""
        said = f"waits to start, and is tried again: {self._why}"
        if self._clock.monotonic_ns() - self._since_ns < LONG_S * 1e9:
            return Health(HealthState.STARTING, said)
        return Health(HealthState.UNHEALTHY, said, "desk.down")
