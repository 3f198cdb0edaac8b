"""Streams that never end by themselves: watch, lose, wait with jitter, watch again."""

from __future__ import annotations

import asyncio
import decimal
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Watch
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes

_log = logging.getLogger(__name__)
SETTLED_S = 6.0
"""A desk's two nodes have six connections: dialed no oftener than this they keep within Binance's 300 in 5 minutes."""


def backoff_s(attempt: int, *, first_s: float, most_s: float, chance: float) -> float:
    """Return the wait before attempt `attempt` (0 first): doubling, capped, and spread over its upper half.

    Args:
        chance: in [0, 1).
    """
    whole_s = min(most_s, first_s * 2.0 ** min(attempt, 30))
    return whole_s * (0.5 + chance / 2)


def _nobody() -> None:
    """The default for `lost`."""


def _silence() -> int:
    """The default for `frames`."""
    return 0


class Stream:
    """Keeps a set of watches going in tasks of its own.

    Args:
        beside: runs as long as the stream does, such as its watch.
        lost: called when a watch ended, before the wait.
        frames: returns how many frames came until now: a connection that told something and lived for `SETTLED_S` was
            a good one, so the waits begin anew after it.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        stop: Callable[[], None],
        ended: Callable[[], None],
        config: CcxtConfig,
        clock: Clock,
        random_bytes: RandomBytes,
        *,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        lost: Callable[[], None] = _nobody,
        frames: Callable[[], int] = _silence,
    ) -> None:
        self._watches = watches
        self._beside = beside
        self._lost = lost
        self._frames = frames
        self._stop = stop
        self._ended = ended
        self._config = config
        self._clock = clock
        self._random_bytes = random_bytes
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._keep(watch)) for watch in self._watches]
        self._tasks += [asyncio.create_task(each()) for each in self._beside]

    async def close(self) -> None:
        """End the tasks and let the reader leave. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ended()

    async def _keep(self, watch: Watch) -> None:
        attempt, began_ns, heard = 0, self._clock.monotonic_ns(), self._frames()
        while True:
            lost = await _outcome(watch())
            if lost is None:
                continue
            self._lost()
            # A venue that takes every connection and drops it at once, or says nothing, must meet the long wait too.
            lived_s = (self._clock.monotonic_ns() - began_ns) / 1e9
            was_good = lived_s >= SETTLED_S and self._frames() > heard
            if was_good or lived_s > self._config.reconnect_most_s:
                attempt = 0
            wait_s = backoff_s(
                attempt,
                first_s=self._config.reconnect_first_s,
                most_s=self._config.reconnect_most_s,
                chance=self._random_bytes(1)[0] / 256,
            )
            attempt += 1
            # Once when it is lost; an outage of a day must not fill the log.
            _log.log(
                logging.WARNING if attempt == 1 else logging.DEBUG,
                "%s: stream lost (%s), again in %.1f s",
                self._config.exchange,
                lost,
                wait_s,
            )
            await self._clock.sleep(wait_s)
            began_ns, heard = self._clock.monotonic_ns(), self._frames()


async def _outcome(watching: Coroutine[Any, Any, None]) -> str | None:
    """Return None when news came, or the kind of error that ended the watch."""
    try:
        with decimal.localcontext():  # ccxt's rounding sets the context's mode and leaves it so
            await watching
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return "closed"  # ccxt cancels the futures of a connection it closes; nobody cancelled us
    except Exception as error:  # noqa: BLE001  whatever a library's stream dies of, it is to be opened again
        return type(error).__name__
    return None
