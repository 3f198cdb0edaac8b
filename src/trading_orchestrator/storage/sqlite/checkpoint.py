"""Checkpoints: the log is written back beside the writers, and cut before it can grow without end."""

from __future__ import annotations

from contextlib import suppress

import apsw
import msgspec

# 16 MiB of 4 KiB pages: above it the store checkpoints by itself, whoever else was meant to.
GUARD_PAGES = 4096


class Checkpointed(msgspec.Struct, frozen=True):
    """Pages in the log, and how many of them are written back; 0 of 0 while another process is at it."""

    log_pages: int
    written_pages: int


class LogGuard:
    """Says when a log has become so long that somebody must write it back, and not again before it has grown."""

    def __init__(self, pages: int = GUARD_PAGES) -> None:
        self.pages = pages
        self._asked_at = 0

    def is_due(self, log_pages: int) -> bool:
        """Return whether to checkpoint now, given the length of the log after a commit."""
        if log_pages < self._asked_at:
            self._asked_at = 0  # the log has started over
        if log_pages < max(self.pages, self._asked_at + self.pages // 4):
            return False
        self._asked_at = log_pages
        return True


def cut(connection: apsw.Connection) -> int:
    """Write the log back and cut it to nothing, when nobody reads it now; return the pages that are left in it."""
    try:
        in_log, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return in_log - written
    return in_log


def checkpoint(connection: apsw.Connection, *, restart_pages: int = GUARD_PAGES) -> Checkpointed:
    """Write back what can be written without making anybody wait.

    Writers that never pause would keep a passive checkpoint from ever finishing, and the log from starting
    over. A long log is therefore written back twice beside them, and then finished under the write lock, when
    only its last pages are left to copy; writers wait no longer than that and the connection's patience.
    """
    try:
        in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:
        return Checkpointed(0, 0)
    if in_log >= restart_pages:
        with suppress(apsw.BusyError):  # a long reader, or many writers: the next checkpoint tries again
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    return Checkpointed(in_log, written)
