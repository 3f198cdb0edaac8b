"""A retry budget: retries may add a share to the load and no more, so that they never become the outage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from trading_orchestrator.errors import Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.deadline import Deadline
from trading_orchestrator.kernel.ids import RandomBytes, system_random

T = TypeVar("T")


class RetryBudget:
    """Each call earns `ratio` of a retry, each retry costs one; `least` are there from the start and saved at most
    tenfold. Share one among all callers of a dependency. Use from one event loop.

    Source: Google SRE book, chapter 21, per-client retry budget of 10 %.
    """

    def __init__(self, *, ratio: float = 0.1, least: float = 3.0) -> None:
        self._ratio = ratio
        self._most = 10 * least
        self.left = least
        self.refused_total = 0

    def earn(self) -> None:
        """A call was made for the first time."""
        self.left = min(self._most, self.left + self._ratio)

    def spend(self) -> bool:
        """Return whether one more retry may be made, and pay for it."""
        if self.left < 1:
            self.refused_total += 1
            return False
        self.left -= 1
        return True


async def retried(
    ask: Callable[[], Awaitable[T]],
    *,
    budget: RetryBudget,
    deadline: Deadline,
    clock: Clock,
    random_bytes: RandomBytes = system_random,
    first_wait_s: float = 0.1,
    longest_wait_s: float = 10.0,
    changes_nothing: bool = False,
) -> T:
    """Return what `ask` returns, asking again after a Transient: nothing happened then, so it is safe for any call.

    Waits double with full jitter, or are what the error says; neither budget nor deadline is overdrawn.

    Args:
        changes_nothing: it only asks, so that it may be asked again after an Unknown, too.

    Raises:
        the last of these errors when budget or time run out; anything else at once.
    """
    budget.earn()
    wait_s = first_wait_s
    while True:
        try:
            return await deadline.run(ask())
        except (Transient, Unknown) as error:
            if isinstance(error, Unknown) and not changes_nothing:
                raise
            asked_s = error.retry_after_s if isinstance(error, Transient) else None
            pause_s = asked_s if asked_s is not None else wait_s * random_bytes(1)[0] / 256
            if pause_s >= deadline.left_s() or not budget.spend():
                raise
        await clock.sleep(pause_s)
        wait_s = min(wait_s * 2, longest_wait_s)
