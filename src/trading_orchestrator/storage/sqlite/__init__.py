"""The journal on SQLite, through apsw: `open_store` is the way in."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.storage.sqlite.bell import Bell
from trading_orchestrator.storage.sqlite.checkpoint import GUARD_PAGES, LogGuard
from trading_orchestrator.storage.sqlite.opening import assemble, create_or_migrate
from trading_orchestrator.storage.sqlite.store import SqliteStore
from trading_orchestrator.storage.sqlite.watch import POLL_S

__all__ = ["Bell", "SqliteStore", "open_store"]


async def open_store(
    path: Path | str,
    *,
    clock: Clock,
    create: bool = True,
    inline: bool = False,
    random_bytes: RandomBytes = system_random,
    vfs: str | None = None,
    guard_pages: int = GUARD_PAGES,
    bell: Bell | None = None,
    poll_s: float = POLL_S,
) -> SqliteStore:
    """Return the journal in the file at `path`, made or migrated as needed.

    Args:
        create: whether a missing file (and its directory) is made; else it is refused.
        inline: commit and read without any thread, for simulations; polls in the clock's time.
        bell: shared by the inline stores of one file, it spares them polling.
        poll_s: how late another process's fact may wake who waits; a program alone on its journal need not look often.
        guard_pages: length of the log at which this store checkpoints by itself, though nobody called for it.
        vfs: name of the SQLite VFS for the writing connection, for fault injection.

    Raises:
        JournalMissing, JournalUnwritable, NotAJournal: the path is wrong; the sentence says what to do.
        JournalNewer: start the newer version. JournalCorrupt: restore. Nothing was touched in either case.
        StorageUnavailable: full disk or a lock held too long.
    """
    prepare = partial(create_or_migrate, Path(path), clock=clock, create=create, random_bytes=random_bytes, vfs=vfs)
    opened = prepare() if inline else await asyncio.to_thread(prepare)
    return assemble(opened, clock=clock, inline=inline, guard=LogGuard(guard_pages), bell=bell, poll_s=poll_s)
