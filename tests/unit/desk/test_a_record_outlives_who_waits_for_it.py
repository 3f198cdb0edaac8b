"""Somebody who waits for a fact to be durable may be cancelled: the others still hear, and the record goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.faultpoint import no_fault
from trading_orchestrator.storage.ports import Fence, StorageUnavailable
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import DeskModeChanged
from trading_orchestrator.trading.record import DeskRecord, RecordLost


class SlowStore:
    """Answers each append when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Sequence[Any]]] = []

    async def append(self, facts: Sequence[Any], **_: Any) -> Sequence[Any]:
        answer: asyncio.Future[Sequence[Any]] = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        return await answer


def record_of(store: SlowStore, lost: list[OrchestratorError]) -> DeskRecord:
    return DeskRecord(
        Book("paper", account="sim", timeline="t"),
        store,  # type: ignore[arg-type]  # what a record asks of a store
        node="n",
        fence=Fence("desk/paper", 1),
        clock=VirtualClock(),
        fault=no_fault,
        on_lost=lost.append,
    )


def write(record: DeskRecord) -> asyncio.Future[None]:
    return record.write(DeskModeChanged(mode="normal", by="test", reason=""))


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_cancelled_waiter_does_not_stop_what_is_written_after_it() -> None:
    record = record_of(store := SlowStore(), [])
    cancelled = write(record)
    await turn()
    other = write(record)
    cancelled.cancel()
    store.asked[0].set_result([])
    await turn()
    store.asked[1].set_result([])
    await record.flush()

    assert other.done()
    assert None is other.exception()


async def test_a_failed_append_reaches_everybody_who_still_waits() -> None:
    """Found by simulation, seed 24: the writer died of the cancelled future and the desk never heard of its loss."""
    lost: list[OrchestratorError] = []
    record = record_of(store := SlowStore(), lost)
    cancelled = write(record)
    await turn()
    other = write(record)
    cancelled.cancel()
    store.asked[0].set_exception(StorageUnavailable("full"))
    await record.flush()

    assert ["storage.unavailable"] == [error.code for error in lost]
    with pytest.raises(RecordLost):
        await other
