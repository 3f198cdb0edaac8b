"""Connections that keep a session: reset before the next use, closed when they cannot be, never lent when cut."""

from __future__ import annotations

import asyncio

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolConfig


class Server:
    """Connections that remember what was set on them; a reset can fail or never end."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.opened = 0
        self.kept: dict[int, list[str]] = {}
        self.cut: set[int] = set()
        self.asked: list[int] = []
        self.reset_fails = self.reset_hangs = False

    async def open(self) -> int:
        self.opened += 1
        self.kept[self.opened] = []
        return self.opened

    async def ping(self, connection: int) -> None: ...

    async def close(self, connection: int) -> None:
        del self.kept[connection]

    def is_open(self, connection: int) -> bool:
        return connection not in self.cut

    async def reset(self, connection: int) -> None:
        self.asked.append(connection)
        if self.reset_hangs:
            await self.clock.sleep(1e6)
        if self.reset_fails:
            raise ConnectionResetError("another operation is in progress")
        self.kept[connection].clear()


class Scene:
    """A pool of one connection, and what its caller does with it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.server = Server(self.clock)
        self.pool: ConnectionPool[int] = ConnectionPool(
            "db", self.server, PoolConfig(size=1, ping_s=2), self.clock, is_harmless=lambda error: True
        )

    async def use(self, error: Exception | None = None) -> None:
        async with self.pool.use() as connection:
            assert [] == self.server.kept[connection]
            self.server.kept[connection].append("a lock, a setting, half a transaction")
            if error is not None:
                raise error


async def test_nothing_of_one_use_is_left_at_the_next() -> None:
    scene = Scene()
    await scene.use()
    with pytest.raises(KeyError):
        await scene.use(KeyError("harmless"))
    await scene.use()

    assert (1, [1, 1, 1]) == (scene.server.opened, scene.server.asked)


async def test_what_cannot_be_reset_is_closed() -> None:
    scene = Scene()
    scene.server.reset_fails = True
    await scene.use()

    assert {} == scene.server.kept
    await scene.use()
    assert 2 == scene.server.opened


async def test_a_reset_that_does_not_end_costs_its_caller_the_time_of_a_ping() -> None:
    scene = Scene()
    scene.server.reset_hangs = True
    using = asyncio.create_task(scene.use())
    await scene.clock.advance(1.9)
    assert (False, 1) == (using.done(), scene.pool.status().in_use)

    await scene.clock.advance(0.2)
    await using

    assert {} == scene.server.kept


async def test_a_caller_cancelled_while_its_connection_is_reset_loses_none() -> None:
    scene = Scene()
    scene.server.reset_hangs = True
    using = asyncio.create_task(scene.use())
    await scene.clock.advance(0.1)
    using.cancel()
    await asyncio.wait((using,))

    status = scene.pool.status()
    assert ({}, 1, 1, 0) == (scene.server.kept, status.opened_total, status.closed_total, status.in_use)


async def test_one_that_was_cut_is_not_lent_and_not_asked() -> None:
    scene = Scene()
    await scene.use()
    scene.server.cut = {1}
    await scene.use()
    scene.server.cut = {1, 2}
    await scene.pool.tend()

    assert ({}, 2, [1, 2]) == (scene.server.kept, scene.server.opened, scene.server.asked)
