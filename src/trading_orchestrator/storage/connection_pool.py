"""A pool of connections: bounded, measured, pinged, recycled, and it names who does not give back."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.circuit_breaker import Circuit, CircuitBreaker, CircuitConfig
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.deadline import Deadline
from trading_orchestrator.storage.wait_times import WaitTimes

log = logging.getLogger(__name__)
C = TypeVar("C")
T = TypeVar("T")
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class PoolExhausted(Transient):
    """No connection came free in time, or too many wait already. Facts: pool, in_use, waiting."""

    code = "pool.exhausted"


class PoolClosed(Transient):
    """The pool is drained: its program is ending, or the pool was replaced. Facts: pool."""

    code = "pool.closed"


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds of one pool.

    min_size, max_size: `tune` moves the size between them; `max_size` is what the other side can bear.
    size: what it begins with; 0 begins with `min_size`.
    waiting_max: more callers than this are refused at once, because the last of them would time out anyway.
    wait_s: how long a caller waits for a connection.
    age_max_s: an older one is replaced, so that a moved or rebalanced server is found again.
    idle_max_s: one unused for so long is closed, down to `min_size`.
    ping_every_s: an idle one is asked for a sign of life before use when it was silent for longer.
    ping_s: no sign within this time: it is closed, and another one taken.
    checked_out_s: whoever keeps one longer is named as a leak.
    """

    min_size: Annotated[int, Meta(ge=1, le=1000)] = 1
    max_size: Annotated[int, Meta(ge=1, le=1000)] = 10
    size: Annotated[int, Meta(ge=0, le=1000)] = 0
    waiting_max: Annotated[int, Meta(ge=0, le=100_000)] = 100
    wait_s: Seconds = 5.0
    age_max_s: Seconds = 3600.0
    idle_max_s: Seconds = 300.0
    ping_every_s: Seconds = 30.0
    ping_s: Seconds = 2.0
    checked_out_s: Seconds = 60.0
    circuit: CircuitConfig = CircuitConfig()

    def __post_init__(self) -> None:
        if not self.min_size <= (self.size or self.min_size) <= self.max_size:
            raise ValueError(f"expected min_size ≤ size ≤ max_size, was {self.min_size}, {self.size}, {self.max_size}")


class Connector(Protocol[C]):
    """How connections of one kind are made. Every method may raise whatever its library raises."""

    async def open(self) -> C: ...

    async def ping(self, connection: C) -> None:
        """Return when the connection answers."""
        ...

    async def close(self, connection: C) -> None: ...


@runtime_checkable
class Sessions(Protocol):
    """What a connector offers besides when its connections keep something from one use to the next."""

    def is_open(self, connection: Any) -> bool:
        """Return at once, without asking, whether nothing tells yet that the connection was cut."""
        ...

    async def reset(self, connection: Any) -> None:
        """Leave nothing of one use to the next; what cannot be reset within `ping_s` is closed."""
        ...


class Leak(msgspec.Struct, frozen=True):
    """A connection that was not given back in time, and who has it."""

    who: str
    since_s: float


class PoolStatus(msgspec.Struct, frozen=True):
    """One pool as the page and the metrics show it. `wait_p50_ms`, `wait_p99_ms`: of the last minutes.

    wait_counts, wait_sum_s: every wait there was, by the buckets of `wait_times.BOUNDS_S`; () when it is not measured.
    oldest_s: how long its oldest connection has been open; 0 when none is, or nobody knows.
    """

    name: str
    size: int
    in_use: int
    idle: int
    waiting: int
    opened_total: int
    closed_total: int
    used_total: int
    refused_total: int
    wait_p50_ms: float
    wait_p99_ms: float
    circuit: str
    leaks: tuple[Leak, ...] = ()
    wait_counts: tuple[int, ...] = ()
    wait_sum_s: float = 0.0
    oldest_s: float = 0.0


@dataclass(eq=False)
class Held(Generic[C]):
    """One open connection."""

    connection: C
    opened_ns: int
    used_ns: int
    who: str = ""
    is_given_up: bool = False


class ConnectionPool(Generic[C]):
    """Hands out connections, the freshest first, so that idle ones can age out. Use from one event loop.

    >>> async with pool.use() as connection:
    ...     await connection.execute(...)

    An error inside the block closes the connection unless `is_harmless` says that it left it in order.
    A connector that offers `Sessions` resets each one before it is lent again, and none that was cut is lent.

    Every connection that was opened is lent, idle, being asked for a sign of life, or closed, whoever is cancelled
    where: closing goes on by itself, and what is asked while it is nobody's is not forgotten.
    """

    def __init__(
        self,
        name: str,
        connector: Connector[C],
        config: PoolConfig,
        clock: Clock,
        *,
        breaker: CircuitBreaker | None = None,
        is_harmless: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        self.name = name
        self.config = config
        self.size = config.size or config.min_size
        self.waits = WaitTimes(clock)
        self.breaker = breaker or CircuitBreaker(f"pool/{name}", config.circuit, clock)
        self.opened_total = self.closed_total = self.used_total = self.refused_total = 0
        self._connector = connector
        self._sessions = connector if isinstance(connector, Sessions) else None
        self._clock = clock
        self._is_harmless = is_harmless
        self._idle: deque[Held[C]] = deque()
        self._out: set[Held[C]] = set()
        self._asked: set[Held[C]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._called = 0  # woken, and not yet at the counter
        self._closed = False

    def status(self) -> PoolStatus:
        """Return how the pool is, at once."""
        p50_s, p99_s = self.waits.percentiles()
        return PoolStatus(
            name=self.name,
            size=self.size,
            in_use=len(self._out),
            idle=len(self._idle),
            waiting=len(self._waiting),
            opened_total=self.opened_total,
            closed_total=self.closed_total,
            used_total=self.used_total,
            refused_total=self.refused_total,
            wait_p50_ms=round(p50_s * 1e3, 3),
            wait_p99_ms=round(p99_s * 1e3, 3),
            circuit=self.breaker.state.value,
            leaks=tuple(self._leaks()),
            wait_counts=self.waits.counts,
            wait_sum_s=round(self.waits.sum_s, 6),
            oldest_s=self._oldest_s(),
        )

    @asynccontextmanager
    async def use(self, who: str = "") -> AsyncIterator[C]:
        """Lend a connection for the block.

        Args:
            who: named when it is not given back; "" takes the caller's file and line.

        Raises:
            PoolExhausted: none came free within `wait_s`.
            PoolClosed: the pool is drained.
            CircuitOpen: opening failed too often; it is not tried at present.
            DeadlinePassed: the other side did not answer while one was opened.
            whatever the connector raises when it cannot open one.
        """
        held = await self._take(who or _caller())
        try:
            yield held.connection
        except BaseException as error:
            if self._is_harmless(error):
                await self._give_back(held)
            else:
                await self._discard(held)
            raise
        else:
            await self._give_back(held)

    async def tend(self) -> None:
        """Close what is cut, too old or idle for too long, ping what has been silent, and prove a circuit well again.

        Call it every few seconds.
        """
        now_ns = self._clock.monotonic_ns()
        for held in list(self._idle):
            if held not in self._idle:
                continue  # lent or recycled while another one was asked
            spare = len(self._idle) + len(self._out) > self.config.min_size
            idle_too_long = spare and now_ns - held.used_ns > self.config.idle_max_s * 1e9
            if idle_too_long or self._is_surplus(held):
                self._idle.remove(held)
                await self._close(held)
            elif now_ns - held.used_ns > self.config.ping_every_s * 1e9:
                self._idle.remove(held)
                if await self._answers(held):
                    self._idle.appendleft(held)  # still the first to age out
                    self._wake()
        if self.breaker.state is Circuit.HALF_OPEN and self._may_open() and not self._closed:
            await self._open_idle()  # nobody may ask for one in a quiet hour

    def tune(self) -> str:
        """Move the size by what callers waited; return what was done, "" for nothing.

        Grows by a quarter when one call in a hundred waits over 10 ms, shrinks by one when a third was never needed.
        """
        config, (_, p99_s) = self.config, self.waits.percentiles()
        most = self.waits.most_in_use
        if p99_s > 0.010 and self.size < config.max_size:
            grown = min(config.max_size, self.size + max(1, self.size // 4))
            said = f"pool {self.name}: size {self.size} → {grown}, because p99 of waits is {p99_s * 1e3:.0f} ms"
        elif self.waits.count >= 100 and most * 3 <= self.size * 2 and self.size - 1 >= max(config.min_size, most):
            grown = self.size - 1
            said = f"pool {self.name}: size {self.size} → {grown}, because at most {most} were in use"
        else:
            return ""
        self.size = grown
        self._wake()
        return said

    async def recycle(self) -> int:
        """Replace every connection: idle ones now, lent ones when they come back. Return how many."""
        now_ns = self._clock.monotonic_ns()
        elsewhere = self._out | self._asked
        for held in elsewhere:
            held.opened_ns = now_ns - int(self.config.age_max_s * 1e9) - 1
        idle = len(self._idle)
        await self._close_all(self._idle)
        return idle + len(elsewhere)

    async def drain(self, deadline_s: float) -> int:
        """Lend nothing more, wait for what is lent, close all; return how many were not given back in time."""
        self._closed = True
        self._wake()
        until_ns = self._clock.monotonic_ns() + int(deadline_s * 1e9)
        while self._out and self._clock.monotonic_ns() < until_ns:
            await self._clock.sleep(0.05)
        late = len(self._out)
        await self._close_all(self._idle, self._out)
        return late

    def reopen(self) -> None:
        """Lend again after a drain."""
        self._closed = False

    def _oldest_s(self) -> float:
        first_ns = min((held.opened_ns for held in (*self._idle, *self._out)), default=self._clock.monotonic_ns())
        return round((self._clock.monotonic_ns() - first_ns) / 1e9, 1)

    # -- lending

    async def _take(self, who: str) -> Held[C]:
        began_ns = self._clock.monotonic_ns()
        until_ns = began_ns + int(self.config.wait_s * 1e9)
        if self._waiting or self._called:
            await self._wait_turn(until_ns)  # first come, first served
        while True:
            try:
                held = await self._one()
            except BaseException:
                self._wake()  # the next may have more luck
                raise
            if held is not None:
                held.who, held.used_ns = who, self._clock.monotonic_ns()
                self._out.add(held)
                self.used_total += 1
                self.waits.add((held.used_ns - began_ns) / 1e9, len(self._out))
                self._wake()
                return held
            await self._wait_turn(until_ns)

    async def _one(self) -> Held[C] | None:
        """Return a connection in order, None when all there may be are lent."""
        self._refuse_closed()
        held = await self._idle_and_well()
        if held is None and self._may_open():
            held = await self._open()
        if held is not None and self._closed:  # drained meanwhile
            await self._close(held)
        self._refuse_closed()
        return held

    def _refuse_closed(self) -> None:
        if self._closed:
            raise PoolClosed(f"pool {self.name} is closed", pool=self.name)

    def _may_open(self) -> bool:
        return len(self._out) + len(self._idle) + self._opening < self.size

    async def _idle_and_well(self) -> Held[C] | None:
        while self._idle:
            held = self._idle.pop()
            now_ns = self._clock.monotonic_ns()
            if self._is_old(held, now_ns) or self._is_cut(held):
                await self._close(held)
            elif now_ns - held.used_ns <= self.config.ping_every_s * 1e9 or await self._answers(held):
                return held
        return None

    async def _answers(self, held: Held[C]) -> bool:
        """Return whether it is still to be used, else it is closed; also when whoever asks is cancelled."""
        self._opening += 1  # it counts while it is asked, or another caller would open one more
        self._asked.add(held)
        try:
            await self._within(self._connector.ping(held.connection), self.config.ping_s)
        except Exception as error:  # noqa: BLE001  # a library's own errors: whatever it is, the connection is not well
            log.info("pool %s: an idle connection does not answer (%s): closed", self.name, error)
            self._give_up(held)
        except BaseException:
            self._give_up(held)  # half an answer may be on it
            raise
        finally:
            self._opening -= 1
            self._asked.discard(held)
        if not held.is_given_up and not self._is_surplus(held, more=1):
            return True
        await self._close(held)
        return False

    async def _open(self) -> Held[C]:
        self._opening += 1
        try:
            async with self.breaker.call():
                opening = asyncio.ensure_future(self._connector.open())
                try:
                    connection = await self._within(opening, self.config.wait_s)
                except BaseException:
                    opening.add_done_callback(self._came_too_late)
                    raise
        finally:
            self._opening -= 1
        return self._opened(connection)

    async def _open_idle(self) -> None:
        try:
            held = await self._open()
        except Exception as error:  # noqa: BLE001  # a library's own errors; the circuit has counted it
            log.info("pool %s: still opens none (%s)", self.name, error)
            return
        if self._is_surplus(held, more=1):
            await self._close(held)
            return
        self._idle.appendleft(held)
        self._wake()

    def _opened(self, connection: C) -> Held[C]:
        self.opened_total += 1
        now_ns = self._clock.monotonic_ns()
        return Held(connection, opened_ns=now_ns, used_ns=now_ns)

    def _came_too_late(self, opening: asyncio.Future[C]) -> None:
        """Nobody waits for it any more, and it was opened all the same."""
        if not opening.cancelled() and opening.exception() is None:
            self._give_up(self._opened(opening.result()))

    async def _wait_turn(self, until_ns: int) -> None:
        left_s = (until_ns - self._clock.monotonic_ns()) / 1e9
        if left_s <= 0 or len(self._waiting) >= self.config.waiting_max:
            self.refused_total += 1
            raise PoolExhausted(
                f"pool {self.name}: no connection within {self.config.wait_s:g} s "
                f"({len(self._out)} of {self.size} in use, {len(self._waiting)} wait)",
                retry_after_s=self.config.wait_s,
                pool=self.name,
                in_use=len(self._out),
                waiting=len(self._waiting),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        timer = asyncio.ensure_future(self._clock.sleep(left_s))
        try:
            await asyncio.wait((turn, timer), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if turn.done():
                self._called -= 1
                self._wake()  # our turn came as we were cancelled: it is the next one's
            raise
        else:
            self._called -= turn.done()
        finally:
            timer.cancel()
            if turn in self._waiting:
                self._waiting.remove(turn)

    async def _give_back(self, held: Held[C]) -> None:
        if not (self._is_to_keep(held) and await self._is_reset(held) and self._is_to_keep(held)):
            await self._discard(held)
            return
        self._out.discard(held)
        held.used_ns = self._clock.monotonic_ns()
        self._idle.append(held)
        self._wake()

    async def _is_reset(self, held: Held[C]) -> bool:
        """Return whether nothing of this use is left on it; it counts as lent meanwhile."""
        if self._sessions is None:
            return True
        try:
            await self._within(self._sessions.reset(held.connection), self.config.ping_s)
        except Exception as error:  # noqa: BLE001  # a library's own errors: whatever it is, nobody else may get it
            log.info("pool %s: what %s gave back cannot be reset (%s): closed", self.name, held.who, error)
            return False
        except BaseException:
            await self._discard(held)
            raise
        return True

    async def _discard(self, held: Held[C]) -> None:
        self._out.discard(held)
        try:
            await self._close(held)
        finally:
            self._wake()

    def _wake(self) -> None:
        """Call as many as there is room for and were not called yet."""
        while self._waiting and (self._closed or self.size - len(self._out) - self._opening > self._called):
            turn = self._waiting.popleft()
            if not turn.done():
                self._called += 1
                turn.set_result(None)

    async def _close(self, held: Held[C]) -> None:
        """Return when it is closed, or was given ping_s to; it is closed also when whoever waits is cancelled."""
        if (closing := self._give_up(held)) is not None:
            await asyncio.shield(closing)

    async def _close_all(self, *kept: deque[Held[C]] | set[Held[C]]) -> None:
        for those in kept:
            while those:
                self._give_up(those.pop())
        if self._closing:
            await asyncio.wait(tuple(self._closing))

    def _give_up(self, held: Held[C]) -> asyncio.Task[None] | None:
        """Begin to close it, once."""
        if held.is_given_up:
            return None
        held.is_given_up = True
        self.closed_total += 1
        closing = asyncio.get_running_loop().create_task(self._end(held), name=f"close one of pool {self.name}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        return closing

    async def _end(self, held: Held[C]) -> None:
        try:
            await self._within(self._connector.close(held.connection), self.config.ping_s)
        except Exception as error:  # noqa: BLE001  # it is given up either way
            log.debug("pool %s: closing failed: %s", self.name, error)

    async def _within(self, asked: Awaitable[T], seconds: float) -> T:
        return await Deadline(self._clock, seconds, what=f"pool {self.name}: the other side").run(asked)

    def _is_to_keep(self, held: Held[C]) -> bool:
        return not held.is_given_up and not self._is_surplus(held)

    def _is_surplus(self, held: Held[C], *, more: int = 0) -> bool:
        """Return whether it is to be closed rather than kept. `more`: it is not among the idle ones yet."""
        too_many = len(self._out) + len(self._idle) + more > self.size
        return self._closed or too_many or self._is_cut(held) or self._is_old(held, self._clock.monotonic_ns())

    def _is_cut(self, held: Held[C]) -> bool:
        return self._sessions is not None and not self._sessions.is_open(held.connection)

    def _is_old(self, held: Held[C], now_ns: int) -> bool:
        return now_ns - held.opened_ns > self.config.age_max_s * 1e9

    def _leaks(self) -> list[Leak]:
        now_ns = self._clock.monotonic_ns()
        kept = ((held.who, (now_ns - held.used_ns) / 1e9) for held in self._out)
        return sorted(
            (Leak(who, round(since_s, 1)) for who, since_s in kept if since_s > self.config.checked_out_s),
            key=lambda leak: -leak.since_s,
        )


def _caller() -> str:
    """File and line outside this module and contextlib that asked for a connection."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.endswith(("connection_pool.py", "contextlib.py")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
