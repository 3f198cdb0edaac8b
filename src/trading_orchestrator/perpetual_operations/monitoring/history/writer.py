"""The writing side of the history file: ticks into the tail, hours sealed, the old dropped. Blocking.

Writing needs no numpy, so that a node that only trades can record; keeping house does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import (
    SPAN_NS,
    connect_writer,
    explain,
    writing,
)
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.retention import expire, keep_below
from trading_orchestrator.perpetual_operations.monitoring.history.tail_block import tail_bytes


class HistoryWriter:
    """Writes one node's series. Several writers, in several processes, may share a file.

    Concurrency: one thread at a time. Every method raises HistoryUnavailable (nothing was written: try again) or
    NotAHistory (the sentence says what to do with the file).
    """

    def __init__(self, path: Path, node: str, config: HistoryConfig) -> None:
        self._path = path
        self._name = node
        self._config = config
        self._connection: apsw.Connection | None = None
        self._node = 0
        self._series: dict[str, int] = {}
        self._swept = (0, config)

    @property
    def is_open(self) -> bool:
        """Return whether the file was opened."""
        return self._connection is not None

    def write(self, groups: Sequence[Ticks]) -> None:
        """Put the ticks into the tail: once this returns, a kill does not lose them."""
        connection = self._opened()
        try:
            with writing(connection):
                self._ensure_node(connection)
                for ticks in groups:
                    self._insert(connection, ticks)
        except apsw.Error as error:
            self._series.clear()  # ids given in what was rolled back are not in the file
            raise explain(error, self._path) from error

    def keep_house(self, now_ns: int, keeps: HistoryConfig | None = None) -> None:
        """Once an hour seal the hours that are over and drop what is too old; drop what is too much at any time.

        Args:
            keeps: how much is kept for now; less than at the last look is dropped at once. None is as configured.
        """
        from trading_orchestrator.perpetual_operations.monitoring.history.sealing import seal

        connection, config, hour = self._opened(), keeps or self._config, now_ns // SPAN_NS
        try:
            if (hour, config) != self._swept:
                seal(connection, self._node, now_ns)
                expire(connection, now_ns, (config.retention_days, config.minute_days, config.hour_days))
                self._swept = (hour, config)
            keep_below(connection, config.max_bytes)
        except apsw.Error as error:
            raise explain(error, self._path) from error

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        connection, self._connection = self._connection, None
        self._series.clear()
        self._swept = (0, self._config)
        if connection is not None:
            connection.close(True)

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect_writer(self._path)
        return self._connection

    def _insert(self, connection: apsw.Connection, ticks: Ticks) -> None:
        series = tuple(self._series_id(connection, name) for name in ticks.names)
        block = tail_bytes(series, ticks.times_ns, ticks.rows)
        connection.execute(
            "INSERT INTO tail (node, first_ns, last_ns, block) VALUES (?, ?, ?, ?)",
            (self._node, min(ticks.times_ns), max(ticks.times_ns), block),
        )

    def _ensure_node(self, connection: apsw.Connection) -> None:
        """Retention removes a node of which nothing is left, even one that comes back after a year of silence."""
        for (node,) in connection.execute("SELECT id FROM nodes WHERE name = ?", (self._name,)):
            if node != self._node:
                self._series.clear()
            self._node = node
            return
        connection.execute("INSERT INTO nodes (name) VALUES (?)", (self._name,))
        self._node = connection.last_insert_rowid()
        self._series.clear()

    def _series_id(self, connection: apsw.Connection, name: str) -> int:
        if name not in self._series:
            connection.execute("INSERT OR IGNORE INTO series (name, node) VALUES (?, ?)", (name, self._node))
            found = connection.execute("SELECT id FROM series WHERE name = ? AND node = ?", (name, self._node))
            self._series[name] = int(next(found)[0])
        return self._series[name]
