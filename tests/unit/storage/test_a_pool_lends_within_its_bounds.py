"""A pool: never more than its size, first come first served, nothing sick lent, nobody's leak unnamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.circuit_breaker import CircuitConfig, CircuitOpen
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolClosed, PoolConfig, PoolExhausted
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, PoolTaken, PoolUnknown


class Server:
    """Counts what is open; can be down, mute or slow, or leave connections dead."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.is_mute = False
        self.opens_after_s = 0.0
        self.open_now: set[int] = set()
        self.opened = 0
        self.most = 0
        self.is_down = False
        self.dead: set[int] = set()

    async def open(self) -> int:
        if self.is_down:
            raise ConnectionRefusedError("down")
        if self.opens_after_s:
            await self.clock.sleep(self.opens_after_s)
        self.opened += 1
        self.open_now.add(self.opened)
        self.most = max(self.most, len(self.open_now))
        return self.opened

    async def ping(self, connection: int) -> None:
        if self.is_mute:
            await self.clock.sleep(1e6)
        if connection in self.dead:
            raise ConnectionResetError("gone")

    async def close(self, connection: int) -> None:
        self.open_now.discard(connection)


class Scene:
    """A pool on a virtual clock, before a server."""

    def __init__(self, **settings: object) -> None:
        self.clock = VirtualClock()
        self.server = Server(self.clock)
        self.manager = ConnectionPoolManager(self.clock)
        self.pool: ConnectionPool[int] = self.manager.add("db", self.server, PoolConfig(**settings))  # type: ignore[arg-type]
        self.served: list[int] = []

    async def work(self, number: int, takes_s: float) -> None:
        async with self.pool.use(f"caller {number}"):
            self.served.append(number)
            await self.clock.sleep(takes_s)

    @asynccontextmanager
    async def busy(self, callers: int, takes_s: float) -> AsyncIterator[list[asyncio.Task[None]]]:
        tasks = [asyncio.create_task(self.work(number, takes_s)) for number in range(callers)]
        await self.clock.advance(0.001)
        yield tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_never_more_than_its_size_and_in_order_of_coming() -> None:
    scene = Scene(size=3, wait_s=60)
    async with scene.busy(20, takes_s=1):
        for _ in range(200):
            await scene.clock.advance(0.1)

    assert list(range(20)) == scene.served
    assert (3, 3) == (scene.server.most, scene.server.opened)


async def test_whoever_waits_too_long_is_told_what_the_pool_is_doing() -> None:
    scene = Scene(size=1, wait_s=2)
    async with scene.busy(2, takes_s=100) as (_, waits):
        await scene.clock.advance(2.1)
        with pytest.raises(PoolExhausted, match=r"no connection within 2 s \(1 of 1 in use"):
            await waits

    assert 1 == scene.pool.status().refused_total


async def test_a_queue_that_is_full_refuses_at_once() -> None:
    scene = Scene(size=1, waiting_max=1)
    async with scene.busy(2, takes_s=100):
        with pytest.raises(PoolExhausted):
            await scene.work(9, 0)


async def test_a_cancelled_caller_passes_its_turn_on() -> None:
    scene = Scene(size=1, wait_s=60)
    async with scene.busy(3, takes_s=1) as (first, second, third):
        first.cancel()
        await asyncio.sleep(0)
        second.cancel()
        for _ in range(20):
            await scene.clock.advance(0.1)
        await third

    assert 2 == scene.served[-1]


async def test_a_dead_connection_is_not_lent() -> None:
    scene = Scene(ping_every_s=10)
    await scene.work(1, 0)
    scene.server.dead = {1}
    await scene.clock.advance(11)

    async with scene.pool.use() as connection:
        assert 2 == connection
    assert {2} == scene.server.open_now


async def test_an_error_in_the_block_closes_the_connection() -> None:
    scene = Scene()
    with pytest.raises(Transient):
        async with scene.pool.use():
            raise Transient("broken in the middle of an answer")

    assert set() == scene.server.open_now


async def test_age_and_idleness_end_connections() -> None:
    scene = Scene(size=3, idle_max_s=100, age_max_s=1000)
    async with scene.busy(3, takes_s=1):
        await scene.clock.advance(1.1)
    await scene.clock.advance(101)
    await scene.pool.tend()
    assert 1 == scene.pool.status().idle

    await scene.clock.advance(1000)
    await scene.pool.tend()

    assert set() == scene.server.open_now


async def test_who_does_not_give_back_is_named() -> None:
    scene = Scene(checked_out_s=60)
    async with scene.pool.use():
        await scene.clock.advance(61)
        (leak,) = scene.pool.status().leaks

        assert leak.who.startswith("test_a_pool_lends_within_its_bounds.py:")
        assert HealthState.DEGRADED is scene.manager.health_of("db").state


async def test_a_server_that_is_down_opens_the_circuit() -> None:
    scene = Scene(circuit=CircuitConfig(min_calls=3))
    scene.server.is_down = True
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await scene.work(1, 0)

    with pytest.raises(CircuitOpen):
        await scene.work(1, 0)
    assert "dependency.down" == scene.manager.health_of("db").failure


async def test_a_circuit_closes_in_a_quiet_hour_when_the_server_is_back() -> None:
    scene = Scene(circuit=CircuitConfig(min_calls=1, open_s=5))
    scene.server.is_down = True
    with pytest.raises(ConnectionRefusedError):
        await scene.work(1, 0)

    await scene.clock.advance(5)
    await scene.pool.tend()
    assert HealthState.UNHEALTHY is scene.manager.health_of("db").state
    scene.server.is_down = False
    await scene.clock.advance(10)
    await scene.pool.tend()

    assert HealthState.HEALTHY is scene.manager.health_of("db").state
    assert ({1}, 1) == (scene.server.open_now, scene.pool.status().idle)


async def test_it_grows_when_callers_wait_and_shrinks_when_they_do_not() -> None:
    scene = Scene(size=4, max_size=5, wait_s=60)
    async with scene.busy(20, takes_s=1):
        for _ in range(100):
            await scene.clock.advance(0.1)
    assert "pool db: size 4 → 5, because p99 of waits is 5000 ms" == scene.pool.tune()
    assert "" == scene.pool.tune()

    await scene.clock.advance(600)
    for number in range(200):
        await scene.work(number, 0)
    assert "pool db: size 5 → 4, because at most 1 were in use" == scene.pool.tune()


async def test_recycling_replaces_every_connection() -> None:
    scene = Scene(size=2)
    async with scene.busy(2, takes_s=1):
        assert 2 == await scene.pool.recycle()
        await scene.clock.advance(1.1)

    assert set() == scene.server.open_now


async def test_draining_waits_for_what_is_lent_and_lends_nothing_more() -> None:
    scene = Scene(size=1, wait_s=60)
    async with scene.busy(2, takes_s=1) as (_, waits):
        draining = asyncio.create_task(scene.manager.drain(5))
        for _ in range(15):
            await scene.clock.advance(0.1)

        assert 0 == await draining
        with pytest.raises(PoolClosed):
            await waits
    assert set() == scene.server.open_now
    scene.pool.reopen()
    await scene.work(9, 0)
    assert 9 == scene.served[-1]


def test_names_are_given_once_and_known() -> None:
    scene = Scene()
    with pytest.raises(PoolTaken):
        scene.manager.adopt("db", scene.pool)
    with pytest.raises(PoolUnknown, match="no pool is named 'bd'; known: db"):
        scene.manager.pool("bd")


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="min_size ≤ size ≤ max_size"):
        PoolConfig(min_size=5, size=2)


async def test_a_caller_cancelled_while_its_connection_is_pinged_loses_none() -> None:
    scene = Scene(size=1, wait_s=60)
    async with scene.pool.use():
        pass
    await scene.clock.advance(60)
    scene.server.is_mute = True
    async with scene.busy(2, takes_s=1) as (pinging, _):
        pinging.cancel()
        scene.server.is_mute = False
        for _ in range(20):
            await scene.clock.advance(0.1)

    status = scene.pool.status()
    assert (2, 1, 1, 0) == (status.opened_total, status.closed_total, status.idle, status.in_use)
    assert [1] == scene.served, "whoever waited behind it is woken"


async def test_a_recycle_while_idle_ones_are_pinged_replaces_those_too() -> None:
    scene = Scene(size=3)
    async with scene.pool.use(), scene.pool.use(), scene.pool.use():
        pass
    await scene.clock.advance(60)
    scene.server.is_mute = True
    tending = asyncio.create_task(scene.pool.tend())
    await scene.clock.advance(0.1)

    assert 3 == await scene.pool.recycle()
    await scene.clock.advance(10)
    await tending
    assert (set(), 3) == (scene.server.open_now, scene.pool.status().closed_total)


async def test_one_that_comes_back_after_a_drain_is_closed_once() -> None:
    scene = Scene(size=1)
    async with scene.busy(1, takes_s=100) as (late,):
        draining = asyncio.create_task(scene.pool.drain(1.0))
        for _ in range(20):
            await scene.clock.advance(0.1)
        assert 1 == await draining
        await scene.clock.advance(100)
        await late

    assert (1, 1) == (scene.pool.opened_total, scene.pool.closed_total)


async def test_one_that_is_opened_while_the_pool_drains_is_not_lent() -> None:
    scene = Scene(size=1)
    scene.server.opens_after_s = 1.0
    async with scene.busy(1, takes_s=1) as (caller,):
        await scene.pool.drain(0.0)
        await scene.clock.advance(2)
        with pytest.raises(PoolClosed):
            await caller

    assert set() == scene.server.open_now
