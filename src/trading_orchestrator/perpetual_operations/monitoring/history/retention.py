"""Retention: seconds, minutes and hours each end after their days, and the file stays below its bound."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import apsw

from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import (
    HOURS,
    LEVELS,
    MINUTES,
    SECONDS,
    SERIES_BITS,
    Level,
    number,
    writing,
)

log = logging.getLogger(__name__)
DAY_NS = 86_400_000_000_000
ROOM_RATIO = 0.9  # after the bound was met there is room again for some time
VACUUM_PAGES = 256  # given back in one transaction, so that other nodes' writes wait for milliseconds only
_UNUSED_NODES = "id NOT IN (SELECT node FROM axes) AND id NOT IN (SELECT node FROM tail)"


def expire(connection: apsw.Connection, now_ns: int, days: tuple[int, int, int]) -> None:
    """Drop what is older than its days (of seconds, minutes, hours), and nodes of which nothing is left."""
    for level, kept_days in zip(LEVELS, days, strict=True):
        for axis in _axes(connection, level, f"AND last_ns < {now_ns - kept_days * DAY_NS}"):
            _drop(connection, level, axis)
    with writing(connection):
        connection.execute("DELETE FROM tail WHERE last_ns < ?", (now_ns - days[0] * DAY_NS,))
        connection.execute(f"DELETE FROM series WHERE node IN (SELECT id FROM nodes WHERE {_UNUSED_NODES})")
        connection.execute(f"DELETE FROM nodes WHERE {_UNUSED_NODES}")
    _give_back(connection, keep_pages=VACUUM_PAGES)  # the next hour needs some again


def keep_below(connection: apsw.Connection, max_bytes: int) -> None:
    """Drop the oldest seconds, then minutes, then hours, then blocks of the tail until the file fits."""
    if _file_bytes(connection) <= max_bytes:
        return
    log.info("metrics history is larger than %d bytes: the oldest samples are dropped", max_bytes)
    for level in LEVELS:
        for axis in _axes(connection, level):
            if _used_bytes(connection) <= max_bytes * ROOM_RATIO:
                break
            _drop(connection, level, axis)
    while _used_bytes(connection) > max_bytes * ROOM_RATIO and number(connection, "SELECT count(*) FROM tail"):
        with writing(connection):
            connection.execute("DELETE FROM tail WHERE id IN (SELECT id FROM tail ORDER BY id LIMIT 16)")
    _give_back(connection, keep_pages=0)


def _axes(connection: apsw.Connection, level: Level, older: str = "") -> Sequence[int]:
    """Return the axes that still have this level, oldest first."""
    rows = connection.execute(f"SELECT id FROM axes WHERE {level.name} IS NOT NULL {older} ORDER BY id").fetchall()
    return [int(axis) for (axis,) in rows]  # type: ignore[arg-type]  # an INTEGER PRIMARY KEY


def _drop(connection: apsw.Connection, level: Level, axis: int) -> None:
    with writing(connection):
        between = (axis << SERIES_BITS, (axis + 1) << SERIES_BITS)
        connection.execute(f"DELETE FROM {level.name} WHERE key >= ? AND key < ?", between)
        connection.execute(f"UPDATE axes SET {level.name} = NULL WHERE id = ?", (axis,))
        gone = " AND ".join(f"{each.name} IS NULL" for each in (SECONDS, MINUTES, HOURS))
        connection.execute(f"DELETE FROM axes WHERE id = ? AND {gone}", (axis,))


def _give_back(connection: apsw.Connection, *, keep_pages: int) -> None:
    """Return free pages to the disk."""
    free = number(connection, "PRAGMA freelist_count") - keep_pages
    for _ in range(0, free, VACUUM_PAGES):
        connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()


def _file_bytes(connection: apsw.Connection) -> int:
    return number(connection, "PRAGMA page_count") * number(connection, "PRAGMA page_size")


def _used_bytes(connection: apsw.Connection) -> int:
    free = number(connection, "PRAGMA freelist_count") * number(connection, "PRAGMA page_size")
    return _file_bytes(connection) - free
