"""The simulation's clocks: a host whose wall clock can be stepped, and a venue whose clock is right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.event_loop import VirtualLoop

START_WALL_NS = 1_700_000_000_000_000_000
START_BOOT_NS = 1_000_000_000_000
LATE_MOST_S = 0.002


class HostClock:
    """A `Clock` on the loop's time. Sleepers wake up to 2 ms late, by the seed: no two wake in a promised order."""

    def __init__(self, loop: VirtualLoop, chance: Chance) -> None:
        self._loop = loop
        self._chance = chance
        self._stepped_ns = 0

    def wall_ns(self) -> int:
        return START_WALL_NS + self._loop.now_ns + self._stepped_ns

    def monotonic_ns(self) -> int:
        return START_BOOT_NS + self._loop.now_ns

    def boot_ns(self) -> int:
        return START_BOOT_NS + self._loop.now_ns

    async def sleep(self, seconds: float) -> None:
        wake = self._loop.create_future()
        timer = self._loop.call_later(self._delay_s(seconds), _wake, wake)
        try:
            await wake
        finally:
            timer.cancel()

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(self._delay_s(seconds), call)

    def _delay_s(self, seconds: float) -> float:
        return seconds + self._chance.ratio() * LATE_MOST_S if seconds > 0 else 0.0

    @property
    def stepped_ns(self) -> int:
        """Return how far the wall clock is off."""
        return self._stepped_ns

    def set_off(self, by_ns: int) -> None:
        """Put the wall clock this far off the true time; the clocks since boot do not move."""
        self._stepped_ns = by_ns


class TrueClock(HostClock):
    """The venue's: never stepped."""

    def set_off(self, by_ns: int) -> None:
        raise NotImplementedError("the venue's clock is right")


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
