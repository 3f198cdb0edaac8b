"""The lanes that journal reads run on are a pool like any other: in use, waiting, waits, connections."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import apsw
import pytest

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, PoolTaken
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.lanes import ThreadLanes


def lanes(tmp_path: Path, size: int = 2) -> ThreadLanes:
    path = tmp_path / "some.db"
    return ThreadLanes(path, partial(apsw.Connection, str(path)), name="readers", size=size, clock=VirtualClock())


async def test_who_has_a_lane_and_who_waits_is_told(tmp_path: Path) -> None:
    pool = lanes(tmp_path)
    begun, go = threading.Semaphore(0), threading.Event()

    def query(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    asking = [asyncio.create_task(pool.run(query)) for _ in range(5)]
    for _ in range(2):
        await asyncio.to_thread(begun.acquire)
    busy = pool.figures.status()
    go.set()
    await asyncio.gather(*asking)
    quiet = pool.figures.status()
    await pool.close()

    assert (2, 2, 3) == (busy.size, busy.in_use, busy.waiting)
    assert (0, 0, 2, 5) == (quiet.in_use, quiet.waiting, quiet.idle, quiet.used_total)
    assert 2 == pool.figures.status().closed_total


async def test_who_goes_away_while_waiting_is_not_counted_for_ever(tmp_path: Path) -> None:
    pool = lanes(tmp_path, size=1)
    begun, go = threading.Semaphore(0), threading.Event()

    def query(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    first = asyncio.create_task(pool.run(query))
    await asyncio.to_thread(begun.acquire)
    second = asyncio.create_task(pool.run(query))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    busy = pool.figures.status()
    go.set()
    await first
    await pool.close()

    assert (1, 0) == (busy.in_use, busy.waiting)
    assert 0 == pool.figures.status().in_use


async def test_a_query_that_failed_gives_its_lane_back_and_closes_its_connection(tmp_path: Path) -> None:
    pool = lanes(tmp_path)

    def query(connection: apsw.Connection) -> None:
        connection.execute("SELECT nothing FROM nowhere")

    with pytest.raises(OrchestratorError):
        await pool.run(query)
    status = pool.figures.status()
    await pool.close()

    assert (0, 1, 1, 0) == (status.in_use, status.opened_total, status.closed_total, status.idle)


async def test_the_lanes_of_a_journal_stand_beside_the_other_pools(tmp_path: Path) -> None:
    clock = SystemClock()
    store = await open_store(tmp_path / "journal.db", clock=clock)
    manager = ConnectionPoolManager(clock)
    manager.adopt_all(store)
    await store.heads()
    found = {status.name: status.used_total for status in manager.statuses()}
    await store.close()

    assert {"journal-reader": 1, "journal-upkeep": 0} == found
    with pytest.raises(PoolTaken):
        manager.adopt_all(store)


def test_what_keeps_no_pools_is_not_asked() -> None:
    manager = ConnectionPoolManager(VirtualClock())

    manager.adopt_all(object())

    assert [] == manager.statuses()
