"""Whoever takes, is cancelled, tends, recycles or drains in any order: lent + idle + closed is what was opened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.circuit_breaker import CircuitConfig
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolConfig

SIZE = 3
CALLS = st.sampled_from(("open", "ping", "reset", "close"))
AT_ONCE = {"open": "at once", "ping": "at once", "reset": "at once", "close": "at once"}
MANNERS = st.sampled_from(("at once", "slowly", "never", "fails", "deaf"))
LATE_S = 0.4


class Server:
    """Counts what is open at its side; all can be cut, each call slow, mute, failing or deaf to a cancel."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.does = dict(AT_ONCE)
        self.opened = 0
        self.open_now: set[int] = set()
        self.cut: set[int] = set()

    async def open(self) -> int:
        await self._answer("open")
        self.opened += 1
        self.open_now.add(self.opened)
        return self.opened

    async def ping(self, connection: int) -> None:
        await self._answer("ping")

    def is_open(self, connection: int) -> bool:
        return connection not in self.cut

    async def reset(self, connection: int) -> None:
        await self._answer("reset")

    async def close(self, connection: int) -> None:
        self.open_now.remove(connection)  # a second close of one connection is a failure of its own
        await self._answer("close")

    async def _answer(self, call: str) -> None:
        how = self.does[call]
        if how == "slowly":
            await self.clock.sleep(LATE_S)
        elif how == "never":
            await self.clock.sleep(1e6)
        elif how == "fails":
            raise ConnectionResetError("gone")
        elif how == "deaf":
            try:
                await self.clock.sleep(LATE_S)
            except asyncio.CancelledError:
                await asyncio.sleep(0)


class Pooled(RuleBasedStateMachine):
    """One pool before one server, and everybody who may ask something of it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.server = Server(self.clock)
        never_opens = CircuitConfig(min_calls=10_000, window_calls=10_000)
        config = PoolConfig(
            max_size=SIZE, size=SIZE, wait_s=2.0, ping_every_s=1.0, ping_s=1.0, age_max_s=20.0, idle_max_s=10.0,
            circuit=never_opens,
        )  # fmt: skip
        self.pool: ConnectionPool[int] = ConnectionPool("db", self.server, config, self.clock)
        self.asking: list[asyncio.Task[None]] = []
        self.errors: list[BaseException] = []

    @rule(takes_s=st.sampled_from((0.0, 0.5, 5.0)), fails=st.booleans())
    def use(self, takes_s: float, fails: bool) -> None:
        async def work() -> None:
            async with self.pool.use("a caller"):
                await self.clock.sleep(takes_s)
                if fails:
                    raise ConnectionResetError("while it was used")

        self._ask(work())

    @rule()
    def tend(self) -> None:
        self._ask(self.pool.tend())

    @rule()
    def recycle(self) -> None:
        async def recycle() -> None:
            await self.pool.recycle()

        self._ask(recycle())

    @rule(deadline_s=st.sampled_from((0.0, 1.0)))
    def drain_and_reopen(self, deadline_s: float) -> None:
        async def drain() -> None:
            await self.pool.drain(deadline_s)
            self.pool.reopen()

        self._ask(drain())

    @rule(size=st.integers(1, SIZE))
    def resize(self, size: int) -> None:
        self.pool.size = size

    @precondition(lambda self: self.asking)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        self.asking[data.draw(st.integers(0, len(self.asking) - 1))].cancel()

    @rule(call=CALLS, how=MANNERS)
    def behave(self, call: str, how: str) -> None:
        self.server.does[call] = how

    @rule()
    def cut_all(self) -> None:
        self.server.cut |= self.server.open_now

    @rule(seconds=st.sampled_from((0.0, 0.1, 0.4, 1.1, 3.0)))
    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(self._let_pass(seconds))

    def teardown(self) -> None:
        self.server.does = dict(AT_ONCE)
        self.loop.run_until_complete(self._let_pass(9.0))
        self.pool.reopen()
        status, opened, open_now = self.pool.status(), self.server.opened, len(self.server.open_now)
        hanging = [task for task in self.asking if not task.done()]
        self.use(0.1, False)
        last = self.asking.pop()
        self.loop.run_until_complete(self._let_pass(1.0))
        served = last.done() and not last.cancelled() and last.exception() is None
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self._let_pass(1.0))
        self.loop.close()

        assert [] == [task for task in hanging if not task.cancelled()]
        assert self._wrong() == []
        assert opened == status.opened_total == status.in_use + status.idle + status.closed_total
        assert (0, open_now) == (status.in_use, status.idle)
        assert status.idle <= SIZE
        assert served

    def _wrong(self) -> list[BaseException]:
        """Return what ended a task and is no answer that a caller must expect."""
        ended = [task.exception() for task in self.asking if task.done() and not task.cancelled()]
        return [error for error in ended if error is not None and not isinstance(error, Transient | ConnectionError)]

    def _ask(self, asking: Coroutine[Any, Any, None]) -> None:
        async def begin() -> None:
            self.asking.append(asyncio.ensure_future(asking))
            await asyncio.sleep(0)

        self.loop.run_until_complete(begin())

    async def _let_pass(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / 0.1))):
            await self.clock.advance(0.1 if seconds else 0.0)


Pooled.TestCase.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
TestNoConnectionIsLost = Pooled.TestCase
