"""The lanes that journal reads run on are a pool like any other: in use, waiting, waits, connections."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import apsw
import pytest

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, PoolTaken, pools_of
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.lanes import ThreadLanes


def lanes(tmp_path: Path, size: int = 2, size_max: int | None = None, clock: VirtualClock | None = None) -> ThreadLanes:
    path = tmp_path / "some.db"
    connect, clock = partial(apsw.Connection, str(path)), clock or VirtualClock()
    return ThreadLanes(path, connect, name="readers", size=size, size_max=size_max, clock=clock)


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
    for name, pool in pools_of(store).items():
        manager.adopt(name, pool)
    await store.heads()
    found = {status.name: status.used_total for status in manager.statuses()}
    await store.close()

    assert {"journal-reader": 1, "journal-upkeep": 0} == found
    with pytest.raises(PoolTaken):
        manager.adopt("journal-reader", pools_of(store)["journal-reader"])


def test_what_keeps_no_pools_is_not_asked() -> None:
    assert {} == pools_of(object())


async def test_a_query_that_keeps_its_lane_is_named(tmp_path: Path) -> None:
    clock = VirtualClock()
    pool = lanes(tmp_path, clock=clock)
    manager = ConnectionPoolManager(clock)
    manager.adopt("readers", pool)
    begun, go = threading.Semaphore(0), threading.Event()

    def a_long_report(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    asking = asyncio.create_task(pool.run(partial(a_long_report)))
    await asyncio.to_thread(begun.acquire)
    await clock.advance(31)
    health = manager.health_of("readers")
    go.set()
    await asking
    after = manager.health_of("readers")
    await pool.close()

    assert HealthState.DEGRADED is health.state
    assert health.reason.endswith("a_long_report has kept a connection for 31 s")
    assert (HealthState.HEALTHY, "0 of 2 in use") == (after.state, after.reason)


async def test_lanes_grow_with_the_waits_and_shrink_when_nobody_waits(tmp_path: Path) -> None:
    clock = VirtualClock()
    pool = lanes(tmp_path, size=1, size_max=2, clock=clock)
    begun, go = threading.Semaphore(0), threading.Event()

    def query(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    asking = [asyncio.create_task(pool.run(query)) for _ in range(2)]
    await asyncio.to_thread(begun.acquire)
    await clock.advance(1.0)  # the second waits for a lane meanwhile
    go.set()
    await asyncio.gather(*asking)
    said = [pool.tune(), pool.tune()]
    grown = await together(pool, 3)
    await clock.advance(400)  # what was measured is forgotten
    for _ in range(120):
        await pool.run(lambda connection: None)
    said.append(pool.tune())
    shrunk = await together(pool, 3)
    await pool.tend()
    idle = pool.status().idle
    await pool.close()

    assert [
        "pool readers: size 1 → 2, because p99 of waits is 1000 ms",
        "",
        "pool readers: size 2 → 1, because at most 1 were in use",
    ] == said
    assert (2, 1, 1) == (grown, shrunk, idle)


async def together(pool: ThreadLanes, asked: int) -> int:
    """Return how many of so many queries ran at once."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def query(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    asking = [asyncio.create_task(pool.run(query)) for _ in range(asked)]
    for _ in range(pool.status().size):
        await asyncio.to_thread(begun.acquire)
    at_once = pool.status().in_use
    go.set()
    await asyncio.gather(*asking)
    return at_once


async def test_every_query_is_timed_under_its_name(tmp_path: Path) -> None:
    clock = VirtualClock()
    pool = lanes(tmp_path, clock=clock)

    def find(connection: apsw.Connection, slow: bool) -> None:
        return None

    for slow in (True, False):
        await pool.run(partial(find, slow=slow))
    manager, meter = ConnectionPoolManager(clock), Meter()
    manager.adopt("readers", pool)
    metrics = PoolMetrics(manager.statuses, meter, manager.queries)
    metrics(Gauge(Path("/")).take(1, 1, LoopReadings()))
    await pool.close()

    (family,) = (each for each in meter.read() if each.name == "trading_database_query_seconds")
    (found,) = family.readings
    labels = dict(found.labels)
    assert (2, "readers", True) == (sum(found.counts), labels["pool"], labels["query"].endswith("find"))


async def test_sizes_of_before_leave_nothing_behind(tmp_path: Path) -> None:
    pool = lanes(tmp_path, size=1, size_max=2)
    for size in (2, 1) * 5:
        await pool.run(lambda connection: None)
        pool._resize(size, "the test says so")
    gc.collect()
    kept = [each for each in gc.get_objects() if isinstance(each, ThreadPoolExecutor)]
    await pool.close()

    assert 1 == sum(each._thread_name_prefix == "readers" for each in kept)


async def test_the_end_waits_for_a_query_of_an_earlier_size(tmp_path: Path) -> None:
    pool = lanes(tmp_path, size=1, size_max=2)
    begun, go = threading.Semaphore(0), threading.Event()

    def query(connection: apsw.Connection) -> bool:
        begun.release()
        return go.wait(10)

    asking = asyncio.create_task(pool.run(query))
    await asyncio.to_thread(begun.acquire)
    pool._resize(2, "the test says so")
    closing = asyncio.create_task(pool.close())
    await asyncio.to_thread(lambda: None)
    assert not closing.done()
    go.set()
    await closing

    assert await asking
    assert 1 == pool.status().closed_total
