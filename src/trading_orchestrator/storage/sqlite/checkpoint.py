"""Checkpoints: the log is written back beside the writers, and cut before it can grow without end."""

from __future__ import annotations

from contextlib import suppress

import apsw
import msgspec

# 16 MiB of 4 KiB pages: above it the store checkpoints by itself, whoever else was meant to.
GUARD_PAGES = 4096


class Checkpointed(msgspec.Struct, frozen=True):
    """Pages in the log, and how many of them are written back."""

    log_pages: int
    written_pages: int


def checkpoint(connection: apsw.Connection) -> Checkpointed:
    """Write back what can be written without making anybody wait.

    Writers that never pause would keep a passive checkpoint from ever finishing, and the log from starting
    over: a long log is therefore finished under the write lock, when only its last pages are left to copy.
    """
    in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    if in_log >= GUARD_PAGES:
        with suppress(apsw.BusyError):  # a long reader: the next checkpoint tries again
            in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    return Checkpointed(in_log, written)
