"""A stream is watched again after every loss, after a growing, capped and spread wait."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.streams import Stream, backoff_s
from trading_orchestrator.kernel.clock import VirtualClock

CONFIG = CcxtConfig(reconnect_first_s=1.0, reconnect_most_s=8.0)


def always_most(size: int) -> bytes:
    return b"\xff" * size


class Watched:
    """A watch that follows a script; when it has ended, it waits for ever."""

    def __init__(self, clock: VirtualClock, *script: Callable[[], Awaitable[None]]) -> None:
        self._clock = clock
        self._script = list(script)
        self.called_at_s: list[float] = []

    async def __call__(self) -> None:
        self.called_at_s.append(round(self._clock.monotonic_ns() / 1e9 - 1, 1))
        if self._script:
            await self._script.pop(0)()
        else:
            await asyncio.Event().wait()


async def lost() -> None:
    raise ConnectionError("lost")


async def closed_by_ccxt() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def news() -> None:
    return None


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def stream_of(watched: Watched, clock: VirtualClock, ended: Callable[[], None] = lambda: None) -> Stream:
    stream = Stream([watched], lambda: None, ended, CONFIG, clock, always_most)
    stream.start()
    return stream


def test_the_wait_doubles_up_to_its_cap() -> None:
    waits = [backoff_s(attempt, first_s=0.1, most_s=15, chance=0.999) for attempt in (0, 1, 2, 7, 8, 10_000)]

    assert [0.1, 0.2, 0.4, 12.8, 15.0, 15.0] == [round(wait, 1) for wait in waits]


def test_the_wait_is_spread_over_its_upper_half() -> None:
    waits = [backoff_s(0, first_s=1, most_s=8, chance=chance) for chance in (0.0, 0.5, 0.999)]

    assert [0.5, 0.75, 1.0] == [round(wait, 2) for wait in waits]


@pytest.mark.parametrize("loss", [lost, closed_by_ccxt])
async def test_a_lost_stream_is_watched_again_after_growing_waits(
    clock: VirtualClock, loss: Callable[[], Awaitable[None]]
) -> None:
    watched = Watched(clock, *[loss] * 5)
    stream = stream_of(watched, clock)

    await clock.advance(60)

    assert [0.0, 1.0, 3.0, 7.0, 15.0, 23.0] == [round(at) for at in watched.called_at_s]
    await stream.close()


async def test_news_is_asked_for_again_at_once(clock: VirtualClock) -> None:
    watched = Watched(clock, news, news)
    stream = stream_of(watched, clock)

    await clock.advance(0.1)

    assert [0.0, 0.0, 0.0] == watched.called_at_s
    await stream.close()


async def test_a_venue_that_drops_every_connection_meets_the_long_wait(clock: VirtualClock) -> None:
    async def up_for_a_moment() -> None:
        await clock.sleep(0.1)
        raise ConnectionError

    watched = Watched(clock, *[up_for_a_moment] * 100)
    stream = stream_of(watched, clock)

    await clock.advance(100)

    assert len(watched.called_at_s) < 20
    await stream.close()


async def test_f24_ten_thousand_refusals_are_spaced_capped_and_spread(clock: VirtualClock) -> None:
    chances = itertools.cycle(range(0, 256, 17))
    watched = Watched(clock, *[lost] * 10_000)
    stream = Stream([watched], lambda: None, lambda: None, CONFIG, clock, lambda size: bytes([next(chances)]))
    stream.start()

    await clock.advance(100_000)

    at_s = watched.called_at_s
    waits = [after - before for before, after in zip(at_s[4:], at_s[5:], strict=False)]
    assert 10_001 == len(at_s)
    assert (True, True) == (min(waits) >= 3.9, max(waits) <= 8.1)
    assert len({round(wait, 1) for wait in waits}) > 10
    await stream.close()


async def test_after_a_long_life_the_first_wait_is_short_again(clock: VirtualClock) -> None:
    async def up_for_a_minute() -> None:
        await clock.sleep(60)
        raise ConnectionError

    watched = Watched(clock, lost, lost, lost, up_for_a_minute)
    stream = stream_of(watched, clock)

    await clock.advance(100)

    assert 61 == round(watched.called_at_s[-1] - watched.called_at_s[-2])
    await stream.close()


@pytest.mark.parametrize(
    ("lived_s", "frames", "wait_s"),
    [
        pytest.param(7.0, 1, 1.0, id="one that spoke begins anew"),
        pytest.param(7.0, 0, 8.0, id="one that stayed silent does not"),
        pytest.param(3.0, 1, 8.0, id="one that spoke and fell soon does not"),
    ],
)
async def test_a_good_connection_ends_the_growth_of_the_wait(
    clock: VirtualClock, lived_s: float, frames: int, wait_s: float
) -> None:
    heard = 0

    async def up() -> None:
        nonlocal heard
        heard += frames
        await clock.sleep(lived_s)
        raise ConnectionError

    watched = Watched(clock, *[lost] * 4, up)
    stream = Stream([watched], lambda: None, lambda: None, CONFIG, clock, always_most, frames=lambda: heard)
    stream.start()

    await clock.advance(60)

    assert lived_s + wait_s == pytest.approx(watched.called_at_s[-1] - watched.called_at_s[-2], abs=0.2)
    await stream.close()


async def test_closing_ends_the_watch_and_lets_the_reader_leave(clock: VirtualClock) -> None:
    left: list[str] = []
    watched = Watched(clock)
    stream = stream_of(watched, clock, ended=lambda: left.append("reader"))
    await clock.advance(1)

    await stream.close()
    await stream.close()
    await clock.advance(60)

    assert (["reader"], [0.0]) == (left, watched.called_at_s)
