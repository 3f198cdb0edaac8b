"""Time as an argument: the real clock, and a virtual one that simulations advance."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Let it never come."""
        ...


class Clock(Protocol):
    """Three times with three uses; mixing them is the oldest bug in failover code."""

    def wall_ns(self) -> int:
        """Return UTC nanoseconds since 1970. May step either way; never compare for deadlines."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never step, for deadlines within one process (CLOCK_MONOTONIC)."""
        ...

    def boot_ns(self) -> int:
        """Return nanoseconds since boot, suspend included, equal in all processes (CLOCK_BOOTTIME)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call after `seconds` of this clock's time, on the running loop: a time-out without a task of its own."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boot_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, call)

    def local_time(self) -> str:
        """Return the time of day where the operator sits, HH:MM:SS."""
        return time.strftime("%H:%M:%S")


class Stopwatch:
    """Real time for a program that drives others from outside and may block: drills, never a node."""

    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()

    def elapsed_s(self) -> float:
        """Return the seconds since it was made."""
        return (time.monotonic_ns() - self._began_ns) / 1e9

    def pause(self, seconds: float) -> None:
        """Block for so long."""
        time.sleep(seconds)


class VirtualClock:
    """A clock that moves only when told: months pass in seconds.

    Use within one event loop. `advance` wakes sleepers in order of their wake time.
    """

    def __init__(self, *, wall_ns: int = 1_700_000_000_000_000_000, boot_ns: int = 1_000_000_000) -> None:
        self._wall_offset_ns = wall_ns - boot_ns
        self._boot_ns = boot_ns
        self._order = itertools.count()
        self._calls: list[tuple[int, int, _VirtualTimer]] = []

    def wall_ns(self) -> int:
        return self._boot_ns + self._wall_offset_ns

    def monotonic_ns(self) -> int:
        return self._boot_ns

    def boot_ns(self) -> int:
        return self._boot_ns

    def step_wall(self, by_ns: int) -> None:
        """Step the wall clock as an operator or NTP would; the other two do not move."""
        self._wall_offset_ns += by_ns

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: None if wake.done() else wake.set_result(None))
        await wake

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = _VirtualTimer(call)
        heapq.heappush(self._calls, (self._boot_ns + int(seconds * 1e9), next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking each sleeper at its own time and letting it run."""
        until_ns = self._boot_ns + int(seconds * 1e9)
        await _let_others_run()
        while self._calls and self._calls[0][0] <= until_ns:
            at_ns, _, timer = heapq.heappop(self._calls)
            self._boot_ns = max(self._boot_ns, at_ns)
            timer.call()
            await _let_others_run()
        self._boot_ns = until_ns


class _VirtualTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def cancel(self) -> None:
        self.call = _nothing


def _nothing() -> None:
    """What a cancelled timer calls."""


async def _let_others_run(turns: int = 5) -> None:
    """A woken task may need several turns of the loop before it sleeps again."""
    for _ in range(turns):
        await asyncio.sleep(0)
