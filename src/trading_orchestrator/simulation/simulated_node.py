"""One node of the simulation: the keeper's real Node with real Desks, in a strand of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Iterator
from pathlib import Path

from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.node import Node
from trading_orchestrator.simulation.account import Account
from trading_orchestrator.simulation.event_loop import STRAND
from trading_orchestrator.simulation.host import Host
from trading_orchestrator.simulation.host_notes import HostNotes
from trading_orchestrator.simulation.market_wire import MarketWire
from trading_orchestrator.simulation.shaky_store import ShakyStore, TearingDisk
from trading_orchestrator.simulation.wire import Wire
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.desk import Desk

LEAVE_DEADLINE_S = 3.0
NO_PID = 0


class SimulatedNode:
    """A process that does not exist: `start` it, then kill, halt or retire it. Use from the world's strand.

    killed: called when it was killed. ended: called when it ended by itself, with the error if one ended it.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        *,
        killed: Callable[[SimulatedNode], None],
        ended: Callable[[SimulatedNode, BaseException | None], None],
    ) -> None:
        self.name = name
        self.is_dead = False
        self.is_halted = False
        self.armed_point = ""
        self.at_point: Callable[[], None] = self.kill
        self.disk = TearingDisk(f"{host.path.parent.name}-{name}")
        self.wires = [Wire(account.network, name, host.host_clock) for account in host.accounts]
        self.feeds = [MarketWire(account.venue) for account in host.accounts]
        self.store: ShakyStore | None = None
        self.ready = False
        self._sqlite: SqliteStore | None = None
        self._host = host
        self._killed = killed
        self._ended = ended
        self._stop = asyncio.Event()

    def start(self) -> None:
        context = contextvars.copy_context()
        context.run(STRAND.set, self.name)
        self._task = self._host.loop.create_task(self._run(), name=self.name, context=context)
        self._task.add_done_callback(self._over, context=self._host.context)

    def retire(self) -> None:
        """Ask it to leave in order."""
        self._stop.set()

    def kill(self) -> None:
        """End it as `kill -9` does: nothing of it runs any more, and what it sent is on its way."""
        if self.is_dead:
            return
        self.is_dead = True
        self._host.loop.halt(self.name)
        self._unplug()
        if self._sqlite is not None:
            self._host.spawn(self._sqlite.close())
        self._killed(self)

    def _unplug(self) -> None:
        for wire in self.wires:
            wire.unplug()
        for feed in self.feeds:
            feed.unplug()

    def halt(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self.is_halted = True
        self._host.loop.halt(self.name)

    def go_on(self) -> None:
        """Let it run again (SIGCONT)."""
        if self.is_halted and not self.is_dead:
            self.is_halted = False
            for wire in self.wires:
                wire.stood_still_until_s = self._host.loop.time()
            self._host.loop.go_on(self.name)

    def bury(self) -> None:
        """Take apart what is left of it, so that nothing of it outlives the simulation."""
        self.kill()
        self._host.loop.bury(self.name)

    async def _run(self) -> None:
        host = self._host
        self._sqlite = await open_store(
            host.path,
            clock=host.host_clock,
            inline=True,
            random_bytes=host.chance.fork(f"journal of {self.name}").octets,
            vfs=self.disk.name,
            bell=host.bell,
        )
        store = ShakyStore(
            self._sqlite, host.host_clock, host.loop, host.chance.fork(f"disk of {self.name}"), self.kill
        )
        self.store = store
        node = Node(
            [self._desk(account, store, wire, feed) for account, wire, feed in self._places()],
            store=store,
            leases=LeaseKeeper(store, host.host_clock, holder=self.name),
            deaths=host.deaths,
            cluster=Cluster(store, node=self.name, pid=NO_PID, release="simulated"),
            clock=host.host_clock,
            boot_id=read_boot_id(),
            leave_deadline_s=LEAVE_DEADLINE_S,
        )
        try:
            await node.run(self._stop, self._is_ready)
        finally:
            await self._sqlite.close()

    def _places(self) -> Iterator[tuple[Account, Wire, MarketWire]]:
        return zip(self._host.accounts, self.wires, self.feeds, strict=True)

    def _desk(self, account: Account, store: ShakyStore, wire: Wire, feed: MarketWire) -> Desk:
        return Desk(
            account.desk,
            account.config,
            store=store,
            node=self.name,
            broker=wire,
            feed=feed,
            clock=self._host.host_clock,
            random_bytes=self._host.chance.fork(f"jitter of {self.name} {account.desk}").octets,
            fault=self._reach,
            live=account.is_live,
            notes=HostNotes(self._host.notes, self.name, account.judge.cancel_noted),
        )

    async def _is_ready(self) -> None:
        self.ready = True

    async def _reach(self, point: str) -> None:
        if point == self.armed_point:
            self.armed_point = ""
            self.at_point()
            await self._host.host_clock.sleep(0)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._unplug()
        if self.is_dead:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                task.result()
            return
        self.is_dead = True
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._ended(self, error)


def journal_path(folder: Path) -> Path:
    """Return where the simulated journal lies."""
    return folder / "journal.db"
