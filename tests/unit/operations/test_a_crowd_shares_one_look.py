"""However many ask for the overview at once, the journal is read once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.console.recent_look import RecentLook
from trading_orchestrator.storage.ports import StorageUnavailable


class Reader:
    """Counts the looks; the first ones may fail."""

    def __init__(self, failures: int = 0) -> None:
        self.looks = 0
        self._failures = failures

    async def read(self, *, trades: int) -> Any:
        self.looks += 1
        look = self.looks
        await asyncio.sleep(0)
        if look <= self._failures:
            raise StorageUnavailable("locked")
        return look


def recent(reader: Reader, clock: VirtualClock) -> RecentLook:
    return RecentLook(reader, clock, trades=1, keep_s=0.25)  # type: ignore[arg-type]  # read() is all it uses


async def test_a_crowd_reads_once_and_again_when_the_look_is_old() -> None:
    reader, clock = Reader(), VirtualClock()
    look = recent(reader, clock)

    first: list[Any] = await asyncio.gather(*(look.overview() for _ in range(50)))
    await clock.advance(0.3)
    second: Any = await look.overview()

    assert ([1] * 50, 2) == (first, second)


async def test_one_who_gives_up_does_not_take_the_look_from_the_others() -> None:
    reader = Reader()
    look = recent(reader, VirtualClock())
    impatient, patient = (asyncio.create_task(look.overview()) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()
    got: Any = await patient

    assert (1, 1) == (got, reader.looks)


async def test_a_failed_look_is_not_kept() -> None:
    look = recent(Reader(failures=1), VirtualClock())

    with pytest.raises(StorageUnavailable):
        await look.overview()

    again: Any = await look.overview()

    assert 2 == again
