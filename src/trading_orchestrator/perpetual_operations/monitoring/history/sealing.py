"""Sealing: the tail's finished hours become packed columns and roll-ups, in one transaction each."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw
import msgspec
import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.history.block import Block, from_bytes, joined
from trading_orchestrator.perpetual_operations.monitoring.history.floats import pack_floats
from trading_orchestrator.perpetual_operations.monitoring.history.integers import Int64s, pack_ints
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import (
    HOURS,
    MINUTES,
    SECONDS,
    SERIES_BITS,
    SPAN_NS,
    Level,
    writing,
)
from trading_orchestrator.perpetual_operations.monitoring.history.packed_axis import PackedAxis
from trading_orchestrator.perpetual_operations.monitoring.history.rollup import pack_rollup, rolled_up

log = logging.getLogger(__name__)
LONGEST_TAIL = 2000  # blocks of a node whose clock was set far back would otherwise stay in the tail for ever
BATCH_BYTES = 32 * 1024 * 1024
_encode = msgspec.msgpack.encode


@dataclass(frozen=True)
class _Piece:
    """Rows of the tail that become axes: read once, and deleted when their columns are written."""

    node: int
    ids: tuple[int, ...]
    blocks: tuple[Block, ...]


def seal(connection: apsw.Connection, node: int, now_ns: int) -> int:
    """Seal this node's hours that are over, and those of nodes that did not do so an hour later; return how many rows.

    Packing happens outside the transaction, so that other nodes' writes do not wait for it. When two processes seal
    the same rows, the second finds them gone and drops its work.
    """
    sealed = 0
    for piece in _pieces(connection, node, now_ns // SPAN_NS * SPAN_NS):
        axes = [_PackedBlock(block) for block in _by_series(piece.blocks)]
        with writing(connection):
            if not _take(connection, piece.ids):
                continue
            for axis in axes:
                axis.insert(connection, piece.node)
        sealed += len(piece.ids)
    return sealed


class _PackedBlock:
    """All that is written for one block: costs 1 ms a series for an hour of seconds."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._axes: dict[Level, bytes] = {SECONDS: _encode(PackedAxis(len(block.times_ns), pack_ints(block.times_ns)))}
        self._columns: dict[Level, list[bytes]] = {SECONDS: [_encode(pack_floats(values)) for values in block.values]}
        for level in (MINUTES, HOURS):
            self._roll_up(level)

    def insert(self, connection: apsw.Connection, node: int) -> None:
        """Write the axis and its columns."""
        times_ns = self._block.times_ns
        connection.execute(
            "INSERT INTO axes (node, first_ns, last_ns, seconds, minutes, hours) VALUES (?, ?, ?, ?, ?, ?)",
            (node, int(times_ns[0]), int(times_ns[-1]), *self._axes.values()),
        )
        axis = connection.last_insert_rowid()
        for level, columns in self._columns.items():
            keys = [axis << SERIES_BITS | series for series in self._block.series]
            rows = sorted(zip(keys, columns, strict=True))
            connection.executemany(f"INSERT INTO {level.name} (key, packed) VALUES (?, ?)", rows)

    def _roll_up(self, level: Level) -> None:
        rollup = rolled_up(self._block.times_ns, self._block.values, level.width_ns)
        ticks = _ticks_in(self._block.times_ns, level.width_ns)
        self._axes[level] = _encode(PackedAxis(len(rollup.starts_ns), pack_ints(rollup.starts_ns), pack_ints(ticks)))
        rows = range(len(self._block.series))
        self._columns[level] = [_encode(pack_rollup(rollup.row(number), ticks)) for number in rows]


def _ticks_in(times_ns: Int64s, width_ns: int) -> Int64s:
    return np.unique(times_ns // width_ns, return_counts=True)[1].astype(np.int64)


def _pieces(connection: apsw.Connection, own: int, boundary_ns: int) -> Iterator[_Piece]:
    """Yield what is due, node by node, in pieces that fit into memory."""
    newest = next(connection.execute("SELECT coalesce(max(id), 0) FROM tail"))[0]
    due: list[tuple[int, int]] = connection.execute(  # type: ignore[assignment]  # both are INTEGER
        "SELECT node, id FROM tail WHERE last_ns < ? - iif(node = ?, 0, ?) OR id <= ? ORDER BY node, id",
        (boundary_ns, own, SPAN_NS, int(newest) - LONGEST_TAIL),
    ).fetchall()
    ids: list[int] = []
    blocks: list[Block] = []
    held_bytes = 0
    for at, (node, row) in enumerate(due):
        block = _read(connection, row)
        ids.append(row)
        if block is not None:
            blocks.append(block)
            held_bytes += block.values.nbytes
        if at + 1 == len(due) or due[at + 1][0] != node or held_bytes > BATCH_BYTES:
            yield _Piece(node, tuple(ids), tuple(blocks))
            ids, blocks, held_bytes = [], [], 0


def _read(connection: apsw.Connection, row: int) -> Block | None:
    for (data,) in connection.execute("SELECT block FROM tail WHERE id = ?", (row,)):
        try:
            return from_bytes(data)
        except (ValueError, struct.error) as error:
            log.warning("metrics history: block %d cannot be read (%s) and is dropped", row, error)
    return None


def _by_series(blocks: Sequence[Block]) -> list[Block]:
    """Return one block per set of series: series that came later have an axis of their own."""
    groups: dict[tuple[int, ...], list[Block]] = {}
    for block in blocks:
        groups.setdefault(block.series, []).append(block)
    return [joined(group) for group in groups.values()]


def _take(connection: apsw.Connection, ids: Sequence[int]) -> bool:
    """Delete the rows, or none of them if one is gone already."""
    found = [row for row in ids if connection.execute("SELECT 1 FROM tail WHERE id = ?", (row,)).fetchall()]
    if len(found) < len(ids):
        return False
    connection.executemany("DELETE FROM tail WHERE id = ?", [(row,) for row in ids])
    return True
