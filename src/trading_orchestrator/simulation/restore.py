"""Yesterday's journal: a copy taken while all is well, and put back when nobody has the file open (F33)."""

from __future__ import annotations

from pathlib import Path

import apsw

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, new_id
from trading_orchestrator.storage.sqlite.connection import connect_reader, connect_writer
from trading_orchestrator.storage.sqlite.queries import last_pos


def take_copy(path: Path) -> int:
    """Copy the journal beside itself, as a backup does; return the position of its newest fact."""
    copy = _copy_of(path)
    _remove(copy)
    source, target = connect_reader(path), apsw.Connection(str(copy))
    with target.backup("main", source, "main") as backup:
        backup.step(-1)
    pos = last_pos(target)
    source.close(True)
    target.close(True)
    return pos


def put_back(path: Path, *, on_new_timeline: bool, clock: Clock, random_bytes: RandomBytes) -> None:
    """Let the copy be the journal.

    Args:
        on_new_timeline: as a restore does it; else as somebody who copies the file back behind our back.
    """
    _remove(path)
    _copy_of(path).rename(path)
    if on_new_timeline:
        connection = connect_writer(path)
        journal_id = new_id(clock.wall_ns(), random_bytes)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'journal_id'", (journal_id,))
        connection.close(True)


def _copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.copy")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
