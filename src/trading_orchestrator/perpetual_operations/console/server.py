"""ConsoleServer: serves the console on the shared listening descriptor while it holds the lease `console`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import HISTORY_MODULES

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.console.console import Console
    from trading_orchestrator.perpetual_operations.console.serving import Serving

log = logging.getLogger(__name__)
LEASE = "console"
_WEB = (
    "trading_orchestrator.perpetual_operations.console.console",
    "trading_orchestrator.perpetual_operations.console.serving",
    "uvicorn.protocols.http.httptools_impl",  # what uvicorn imports by name, only when it serves
    "uvicorn.lifespan.off",
    "trading_orchestrator.perpetual_operations.alerts.starting",  # 70 ms that a takeover of the console need not wait
    *HISTORY_MODULES,
)


class Operations(Protocol):
    """What the server needs of the wing: PerpetualOperationsManager has it."""

    @property
    def config(self) -> OperationsConfig: ...

    def console(self) -> Console: ...

    def prepare(self) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class ConsoleServer:
    """A tenancy (kernel.tenancy.Tenancy): whoever holds the lease accepts connections and checkpoints the log.

    The listening descriptor belongs to the keeper: ours are duplicates, so that between two holders connections
    wait in its backlog and none is refused. Leaving returns as soon as no answer is under way, so that the next
    holder can accept at once; idle keep-alive connections linger until the deadline, each told `Connection: close`
    with its next answer. One event loop.

    Args:
        listener: a bound, listening TCP socket; stays open and stays the caller's.
        checkpoint: writes the journal's log back; called every `checkpoint_every_s` while the lease is held.
    """

    lease = LEASE

    def __init__(
        self,
        manager: Operations,
        *,
        listener: socket.socket,
        clock: Clock,
        checkpoint: Callable[[], Awaitable[object]] | None = None,
        checkpoint_every_s: float = 1.0,
    ) -> None:
        self._manager = manager
        self._listener = listener
        self._clock = clock
        self._checkpoint = checkpoint
        self._checkpoint_every_s = checkpoint_every_s
        self._serving: Serving | None = None
        self._checkpointing: asyncio.Task[None] | None = None
        self._lingering: asyncio.Task[None] | None = None
        self._left: Serving | None = None

    async def warm(self) -> None:
        """Import the web stack (on a thread: 0.3 s, and this loop may be trading) and build all that `take` starts:
        from READY on this node may have to take a desk at once.
        """
        for module in _WEB:
            await asyncio.to_thread(import_module, module)
        self._manager.console()
        self._manager.prepare()

    async def take(self, seat: Seat) -> None:
        """Accept connections; returns when the first can be answered."""
        from trading_orchestrator.perpetual_operations.console.serving import Serving

        await self._end_lingering()
        console = self._manager.console()
        console.traffic.draining = False
        await self._manager.start()
        self._serving = Serving(console.app, self._clock, keep_alive_s=self._manager.config.console.keep_alive_s)
        await self._serving.start(self._listener.dup())
        if self._checkpoint is not None:
            self._checkpointing = asyncio.create_task(self._checkpoint_for_ever(self._checkpoint, seat))

    def held_up(self, why: str) -> None:
        """Nothing shows what shows everything; the log has it."""

    async def leave(self, deadline_s: float) -> None:
        """Stop accepting, end the streams, wait for answers under way; idle connections linger in the background."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        console = self._manager.console()
        console.traffic.draining = True
        serving.stop_accepting()
        console.end_streams()
        await self._stop_checkpoints()
        until_ns = self._clock.monotonic_ns() + int(deadline_s * 1e9)
        await _within(deadline_s, console.traffic.idle())
        self._lingering = asyncio.create_task(self._linger(serving, until_ns))
        self._left = serving
        if deadline_s <= 0:
            await self._end_lingering()

    async def close(self) -> None:
        """Wait for the lingering connections, at most until the deadline of `leave`, then end everything."""
        await self.leave(0)
        if self._lingering is not None:
            await asyncio.wait((self._lingering,))
        await self._end_lingering()
        await self._manager.stop()

    async def _linger(self, serving: Serving, until_ns: int) -> None:
        await _within((until_ns - self._clock.monotonic_ns()) / 1e9, serving.all_gone())
        await serving.cut()
        await self._manager.stop()

    async def _end_lingering(self) -> None:
        """Cut what lingers now; a task cancelled before its first step runs nothing, so the cut is made here."""
        lingering, self._lingering = self._lingering, None
        left, self._left = self._left, None
        if lingering is not None and left is not None:
            lingering.cancel()
            await asyncio.wait((lingering,))
            await left.cut()
            await self._manager.stop()

    async def _checkpoint_for_ever(self, checkpoint: Callable[[], Awaitable[object]], seat: Seat) -> None:
        while True:
            await self._clock.sleep(self._checkpoint_every_s)
            if seat.may_act():
                try:
                    await checkpoint()
                except Transient as error:
                    log.warning("checkpoint put off: %s", error)

    async def _stop_checkpoints(self) -> None:
        task, self._checkpointing = self._checkpointing, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))


async def _within(seconds: float, awaited: Awaitable[None]) -> None:
    """Await it, but not for longer than that; running out of time is expected."""
    waiting = asyncio.ensure_future(awaited)
    await asyncio.wait((waiting,), timeout=max(0.0, seconds))
    waiting.cancel()
