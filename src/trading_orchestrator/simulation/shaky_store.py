"""A node's journal on a disk that may fail, in a process that may die between any two steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

import apsw

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.storage.ports import CommitUnknown, Fact, Fence, LeaseRow, NewFact, Put, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore

T = TypeVar("T")
COMMIT_S = (0.0002, 0.003)


class AtCommit(Enum):
    """What awaits the next commit."""

    DIE_BEFORE = "the process dies before it"
    DIE_AFTER = "the process dies after it, before anybody hears"
    REFUSE = "nothing is written"
    UNKNOWN_LANDED = "written, and nobody can tell"
    UNKNOWN_NOT = "not written, and nobody can tell"


class ShakyStore:
    """A `FactStore` as one node sees it. Commits take time and keep the order of the calls.

    Args:
        die: ends the node; the call that asked for it never returns.
    """

    def __init__(
        self, store: SqliteStore, clock: Clock, loop: VirtualLoop, chance: Chance, die: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._loop = loop
        self._chance = chance
        self._die = die
        self._last_s = 0.0
        self.armed: AtCommit | None = None
        self.refusing = False

    def __getattr__(self, name: str) -> Any:
        """Hand on what needs no disk that writes; found once, it is the store's own from then on."""
        found = self.__dict__[name] = getattr(self._store, name)
        return found

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        armed = await self._reach_the_disk(may_strike=fence is not None)
        written = await self._store.append(facts, node=node, fence=fence, puts=puts)
        await self._leave_the_disk(armed)
        return written

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        await self._reach_the_disk(may_strike=False)
        return await self._store.claim_lease(name, holder=holder, ttl_s=ttl_s, dead_holder=dead_holder)

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        await self._reach_the_disk(may_strike=False)
        return await self._store.renew_lease(name, holder=holder, epoch=epoch, ttl_s=ttl_s)

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        await self._reach_the_disk(may_strike=False)
        await self._store.release_lease(name, holder=holder, epoch=epoch)

    async def _reach_the_disk(self, *, may_strike: bool) -> AtCommit | None:
        """Wait for this call's turn; return what will happen to it, if anything."""
        self._last_s = max(self._last_s + 1e-6, self._loop.time() + self._chance.between(*COMMIT_S))
        turn = self._loop.create_future()
        self._loop.call_at(self._last_s, _wake, turn)
        await turn
        if self.refusing:
            raise StorageUnavailable("the disk takes nothing", path="simulated")
        if not may_strike or self.armed is None:
            return None
        armed, self.armed = self.armed, None
        if armed is AtCommit.REFUSE:
            raise StorageUnavailable("the disk took nothing", path="simulated")
        if armed is AtCommit.UNKNOWN_NOT:
            raise CommitUnknown("the disk does not tell", path="simulated")
        if armed is AtCommit.DIE_BEFORE:
            await self._end()
        return armed

    async def _leave_the_disk(self, armed: AtCommit | None) -> None:
        if armed is AtCommit.DIE_AFTER:
            await self._end()
        if armed is AtCommit.UNKNOWN_LANDED:
            raise CommitUnknown("the disk does not tell", path="simulated")

    async def _end(self) -> None:
        self._die()
        await self._loop.create_future()


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class TearingDisk(apsw.VFS):
    """The system's own files, but for the next write or sync of a log that is told to fail.

    Only a log that is to fail has methods in Python: SQLite writes 20,000 times a seed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._logs: list[_TearingFile] = []
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _TearingFile:  # noqa: N802 - SQLite's name
        file = _TearingFile("", name, flags)
        if str(name.filename() if isinstance(name, apsw.URIFilename) else name).endswith("-wal"):
            self._logs.append(file)
        return file

    def fail_write(self) -> None:
        """Let the next write to the log fail."""
        for log in self._logs:
            log.fail_next("xWrite", "the disk did not write", self.mend)

    def fail_sync(self) -> None:
        """Let the next sync of the log fail."""
        for log in self._logs:
            log.fail_next("xSync", "the disk did not sync", self.mend)

    def mend(self) -> None:
        """Fail nothing any more."""
        for log in self._logs:
            log.__dict__.clear()


class _TearingFile(apsw.VFSFile):
    def fail_next(self, call: str, sentence: str, failed: Callable[[], None]) -> None:
        def fail(*_: object) -> None:
            failed()
            raise apsw.IOError(sentence)

        self.__dict__[call] = fail
