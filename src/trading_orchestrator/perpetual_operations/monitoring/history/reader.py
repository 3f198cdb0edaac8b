"""The reading side of the history file: what series there are, and one of them over a range of time. Blocking."""

from __future__ import annotations

import logging
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec
import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.history.answers import Line, Range
from trading_orchestrator.perpetual_operations.monitoring.history.block import one_series
from trading_orchestrator.perpetual_operations.monitoring.history.floats import Float64s, PackedFloats, unpack_floats
from trading_orchestrator.perpetual_operations.monitoring.history.integers import Int64s, unpack_ints
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import (
    HOURS,
    LEVELS,
    MINUTES,
    SECONDS,
    SERIES_BITS,
    Level,
    connect_reader,
    explain,
)
from trading_orchestrator.perpetual_operations.monitoring.history.packed_axis import PackedAxis
from trading_orchestrator.perpetual_operations.monitoring.history.rollup import (
    PackedRollup,
    Rollup,
    as_rollup,
    in_order,
    merged,
    unpack_rollup,
)

log = logging.getLogger(__name__)
T = TypeVar("T")
FINEST_NS = 1_000_000
_UNREADABLE = (ValueError, struct.error, zlib.error, msgspec.DecodeError)
_axis: msgspec.msgpack.Decoder[PackedAxis] = msgspec.msgpack.Decoder(PackedAxis)
_floats: msgspec.msgpack.Decoder[PackedFloats] = msgspec.msgpack.Decoder(PackedFloats)
_rollup: msgspec.msgpack.Decoder[PackedRollup] = msgspec.msgpack.Decoder(PackedRollup)


class HistoryReader:
    """Reads beside any number of writers; a file that is not there yet is empty.

    Series are named `name`, over all nodes that recorded it, or `name@node`. Concurrency: any thread; one query at a
    time. Every method raises HistoryUnavailable (ask again) or NotAHistory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None

    def series(self) -> Sequence[Line]:
        """Return every series of every node, dead ones included, by name."""
        return self._query(_lines, [])

    def samples(self, series: str, start_ns: int, end_ns: int) -> tuple[Int64s, Float64s]:
        """Return times and values of every sample in [start, end) that is still kept by the second."""
        nothing = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))

        def read(connection: apsw.Connection) -> tuple[Int64s, Float64s]:
            parts = [
                part
                for number, node in _ids(connection, series)
                for part in (
                    *_samples(connection, number, node, start_ns, end_ns),
                    *_tail(connection, number, node, start_ns, end_ns),
                )
            ]
            return _sorted_within(parts, start_ns, end_ns) if parts else nothing

        return self._query(read, nothing)

    def range(self, series: str, start_ns: int, end_ns: int, points: int) -> Range:
        """Return lowest, highest and mean of each bucket that holds a sample, in at most `points` + 1 buckets.

        From a minute on, buckets are whole minutes, from an hour on whole hours, so the first may begin before
        `start_ns`. Where the seconds are gone the minutes answer, and where those are gone the hours.
        """
        level, width_ns = _resolution(max(1, end_ns - start_ns), points)
        start_ns = start_ns // width_ns * width_ns
        end_ns = -(-end_ns // width_ns) * width_ns

        def read(connection: apsw.Connection) -> Rollup | None:
            parts = [
                part
                for number, node in _ids(connection, series)
                for part in _rollups(connection, level, number, node, start_ns, end_ns)
            ]
            return _merged_within(parts, start_ns, end_ns, width_ns)

        return Range.of(series, start_ns, end_ns, width_ns, self._query(read, None))

    def close(self) -> None:
        """Close the file; the next query opens it again."""
        with self._lock:
            self._drop()

    def _query(self, read: Callable[[apsw.Connection], T], nothing: T) -> T:
        """Read everything in one transaction, so that an hour being sealed is neither missed nor seen twice."""
        with self._lock:
            try:
                self._connection = self._connection or connect_reader(self._path)
                if self._connection is None:
                    return nothing
                self._connection.execute("BEGIN")
                answer = read(self._connection)
                self._connection.execute("COMMIT")
            except apsw.Error as error:
                self._drop()
                raise explain(error, self._path) from error
            except BaseException:
                self._drop()
                raise
            return answer

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)


def _lines(connection: apsw.Connection) -> Sequence[Line]:
    held = {
        node: (first_ns, last_ns)
        for node, first_ns, last_ns in connection.execute(
            "SELECT node, min(first_ns), max(last_ns) FROM"
            " (SELECT node, first_ns, last_ns FROM axes UNION ALL SELECT node, first_ns, last_ns FROM tail)"
            " GROUP BY node"
        )
    }
    rows = connection.execute(
        "SELECT series.name, nodes.name, nodes.id FROM series JOIN nodes ON nodes.id = series.node"
        " ORDER BY series.name, nodes.id"
    )
    return [Line(f"{name}@{node}", name, node, *held[number]) for name, node, number in rows if number in held]


def _resolution(span_ns: int, points: int) -> tuple[Level, int]:
    asked_ns = -(-span_ns // points)
    for level in (HOURS, MINUTES):
        if asked_ns >= level.width_ns:
            return level, -(-asked_ns // level.width_ns) * level.width_ns
    return SECONDS, max(FINEST_NS, asked_ns)


def _ids(connection: apsw.Connection, series: str) -> Sequence[tuple[int, int]]:
    """Return the ids of the series and its node, of every node when none is named."""
    name, _, node = series.partition("@")
    found = connection.execute(
        "SELECT id, node FROM series WHERE name = ?1"
        " AND (?2 = '' OR node = (SELECT id FROM nodes WHERE nodes.name = ?2)) ORDER BY id",
        (name, node),
    )
    return found.fetchall()  # type: ignore[return-value]  # both are INTEGER


def _packed(
    connection: apsw.Connection, level: Level, series: int, node: int, start_ns: int, end_ns: int, finest: Level
) -> Iterator[tuple[PackedAxis, bytes]]:
    """Yield axes with the series' column on them, where no finer level that would do is still there."""
    finer = LEVELS[LEVELS.index(finest) : LEVELS.index(level)]
    gone = "".join(f" AND axes.{each.name} IS NULL" for each in finer)
    sql = (
        f"SELECT axes.{level.name}, packed FROM axes CROSS JOIN {level.name} ON key = (axes.id << {SERIES_BITS}) | ?"
        f" WHERE axes.node = ? AND axes.last_ns >= ? AND axes.first_ns < ?{gone} ORDER BY axes.id"
    )
    for axis, packed in connection.execute(sql, (series, node, start_ns, end_ns)):
        try:
            yield _axis.decode(axis), packed
        except _UNREADABLE as error:
            _tell(level, series, error)


def _samples(
    connection: apsw.Connection, series: int, node: int, start_ns: int, end_ns: int
) -> Iterator[tuple[Int64s, Float64s]]:
    for axis, packed in _packed(connection, SECONDS, series, node, start_ns, end_ns, SECONDS):
        try:
            yield unpack_ints(axis.starts, axis.length), unpack_floats(_floats.decode(packed), axis.length)
        except _UNREADABLE as error:
            _tell(SECONDS, series, error)


def _tail(
    connection: apsw.Connection, series: int, node: int, start_ns: int, end_ns: int
) -> Iterator[tuple[Int64s, Float64s]]:
    sql = "SELECT block FROM tail WHERE node = ? AND last_ns >= ? AND first_ns < ? ORDER BY id"
    for (data,) in connection.execute(sql, (node, start_ns, end_ns)):
        try:
            found = one_series(data, series)
        except _UNREADABLE as error:
            _tell(SECONDS, series, error)
        else:
            if found is not None:
                yield found


def _rollups(
    connection: apsw.Connection, finest: Level, series: int, node: int, start_ns: int, end_ns: int
) -> Iterator[Rollup]:
    if finest is SECONDS:
        for times_ns, values in _samples(connection, series, node, start_ns, end_ns):
            yield as_rollup(times_ns, values)
    for times_ns, values in _tail(connection, series, node, start_ns, end_ns):
        yield as_rollup(times_ns, values)
    for level in LEVELS[max(1, LEVELS.index(finest)) :]:
        for axis, packed in _packed(connection, level, series, node, start_ns, end_ns, finest):
            try:
                starts_ns = unpack_ints(axis.starts, axis.length)
                counts = unpack_ints(axis.counts, axis.length) if axis.counts is not None else np.ones_like(starts_ns)
                yield unpack_rollup(_rollup.decode(packed), starts_ns, counts)
            except _UNREADABLE as error:
                _tell(level, series, error)


def _sorted_within(parts: Sequence[tuple[Int64s, Float64s]], start_ns: int, end_ns: int) -> tuple[Int64s, Float64s]:
    times_ns = np.concatenate([times for times, _ in parts])
    values = np.concatenate([values for _, values in parts])
    order = np.argsort(times_ns, kind="stable")
    times_ns, values = times_ns[order], values[order]
    first, last = np.searchsorted(times_ns, (start_ns, end_ns))
    return times_ns[first:last], values[first:last]


def _merged_within(parts: Sequence[Rollup], start_ns: int, end_ns: int, width_ns: int) -> Rollup | None:
    if not parts:
        return None
    whole = in_order(parts)
    inside = (whole.starts_ns >= start_ns) & (whole.starts_ns < end_ns) & (whole.counts > 0)
    if not inside.any():
        return None
    kept = Rollup(whole.starts_ns[inside], whole.low[inside], whole.high[inside], whole.mean[inside],
                  whole.counts[inside])  # fmt: skip
    return merged(kept, width_ns)


def _tell(level: Level, series: int, error: Exception) -> None:
    log.warning("metrics history: %s of series %d cannot be read (%s) and are left out", level.name, series, error)
