"""Which processes hold the journal's write lock, as the kernel tells."""

from __future__ import annotations

import os
from pathlib import Path

LOCKS = Path("/proc/locks")
WRITE_BYTE = 120
"""Of the log's index: who locks it may write (SQLite's wal.c, WAL_WRITE_LOCK)."""


def write_lock_holders(journal: Path, locks: Path = LOCKS) -> frozenset[int]:
    """Return the pids that hold it at this instant; 0 is a process that ours cannot see.

    None when nobody holds it, or nobody can tell: a kernel without the list, a file system with inodes of its own.
    The index is never opened for it: closing it would end every lock that our own process has on it.
    """
    try:
        index = journal.with_name(f"{journal.name}-shm").stat()
        lines = locks.read_text(encoding="ascii").splitlines()
    except OSError:
        return frozenset()
    inode = f"{os.major(index.st_dev):02x}:{os.minor(index.st_dev):02x}:{index.st_ino}"
    return frozenset(int(words[4]) for line in lines if _is_write_lock(words := line.split(), inode))


def _is_write_lock(words: list[str], inode: str) -> bool:
    """Return whether a line is about it, as in `7: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120`."""
    if len(words) < 8 or words[1] != "POSIX" or words[3] != "WRITE" or words[5] != inode:
        return False  # also of a line with `->` in front, which tells of somebody who waits
    ends = int(words[7]) if words[7] != "EOF" else WRITE_BYTE
    return int(words[6]) <= WRITE_BYTE <= ends
