"""The actions every program has; those that only the program itself can do say so until it registers its own."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.supervisor import Supervisor
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import (
    WAIT,
    Action,
    AutoRecoveryManager,
    Failure,
)
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, Pooled
from trading_orchestrator.storage.ports import FactStore, FileStore

JOURNAL = "journal"
ClearCache = Callable[[], int]


class NotOffered(Refused):
    """This program registered nothing that could do it. Facts: action."""

    code = "recovery.not_offered"


class DefaultActions:
    """Reconnect, restart, recycle, tune, clear. Use from one event loop."""

    def __init__(self, supervisor: Supervisor, pools: ConnectionPoolManager, store: FactStore) -> None:
        self._supervisor = supervisor
        self._pools = pools
        self._store = store
        self._caches: dict[str, ClearCache] = {}

    def register(self, recovery: AutoRecoveryManager) -> None:
        """Let ladders name them."""
        recovery.add_action(WAIT, self.wait, repairs=False)
        recovery.add_action("reconnect", self.reconnect)
        recovery.add_action("write_log_back", self.write_log_back)
        recovery.add_action("restart_component", self.restart_component)
        recovery.add_action("recycle_pool", self.recycle_pool)
        recovery.add_action("tune_pool", self.tune_pool)
        recovery.add_action("clear_caches", self.clear_caches)
        for name in ("shed_load", "clean_up", "hand_over"):
            recovery.add_action(name, _not_offered(name))

    def add_cache(self, name: str, clear: ClearCache) -> None:
        """Let `clear_caches` call `clear`, which returns how many entries it dropped."""
        self._caches[name] = clear

    async def wait(self, failure: Failure) -> str:
        """Most failures end by themselves."""
        return "left it time to come back by itself"

    async def reconnect(self, failure: Failure) -> str:
        """Open anew whatever connects us to the part: the journal's connections, a pool, or the component itself."""
        if failure.part == JOURNAL:
            return await self._reopen_journal()
        if self._pool_of(failure) in {status.name for status in self._pools.statuses()}:
            return await self.recycle_pool(failure)
        return await self.restart_component(failure)

    async def write_log_back(self, failure: Failure) -> str:
        """A long log makes reads and commits of the journal slow."""
        if failure.part != JOURNAL or not isinstance(self._store, FileStore):
            raise NotOffered(f"{failure.part} has no log that could be written back", action="write_log_back")
        done = await self._store.checkpoint()
        return f"wrote back {done.written_pages} of {done.log_pages} pages of the journal's log"

    async def _reopen_journal(self) -> str:
        """Raises what the first read of the new connection raises."""
        if not isinstance(self._store, FileStore):
            raise NotOffered("this journal keeps no connections that could be opened anew", action="reconnect")
        dropped = self._store.reopen()
        heads = await self._store.heads()
        return f"dropped {dropped} connections of the journal, and read {len(heads)} streams through a new one"

    async def restart_component(self, failure: Failure) -> str:
        name = failure.part.removeprefix("progress/")  # what watches a component's progress means the component
        child = self._supervisor.children.get(name)
        if child is not None and not child.wanted:
            raise NotOffered(f"{name} was stopped on purpose", action="restart_component")
        await self._supervisor.restart(name)  # to restart what runs this climb ends the climb, and goes on all the same
        return f"started {name} anew"

    async def recycle_pool(self, failure: Failure) -> str:
        name = self._pool_of(failure)
        if self._is_lane(name):
            return await self._reopen_journal()
        return f"replaced {await self._pools.pool(name).recycle()} connections of pool {name}"

    async def tune_pool(self, failure: Failure) -> str:
        name = self._pool_of(failure)
        return self._pools.tune(name) or f"pool {name} has the size that its waits ask for"

    def _pool_of(self, failure: Failure) -> str:
        return failure.part.removeprefix("pool/").removeprefix("dependency/").removeprefix("database/")

    def _is_lane(self, name: str) -> bool:
        """The journal keeps its connections itself."""
        return isinstance(self._store, Pooled) and name in self._store.pools()

    async def clear_caches(self, failure: Failure) -> str:
        """Give memory back: registered caches, then the collector, then the allocator."""
        dropped = {name: clear() for name, clear in self._caches.items()}
        collected = await asyncio.to_thread(gc.collect)
        trimmed = await asyncio.to_thread(_malloc_trim)
        told = ", ".join(f"{count} entries of {name}" for name, count in dropped.items()) or "no registered cache"
        return f"dropped {told}; collected {collected} objects; " + (
            "the allocator gave pages back" if trimmed else "the allocator had nothing to give back"
        )


def _not_offered(name: str) -> Action:
    async def refuse(failure: Failure) -> str:
        raise NotOffered(f"this program offers no {name!r}: register it with add_recovery_action", action=name)

    return refuse


def _malloc_trim() -> bool:
    """glibc's; other C libraries have no such call."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
