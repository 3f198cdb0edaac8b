"""The metrics history: 300 series × 1 s × 24 h, bytes a sample, write cost and queries, beside a plain SQLite table."""

from __future__ import annotations

import csv
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import apsw
import numpy as np

from benchmarks.disk import fsyncs_per_s
from benchmarks.host_model import Rows, an_hour
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import number
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

SERIES = 300
HOURS = 24
TICKS_A_WRITE = 10
SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
START_NS = 1_800_000_000 * SECOND_NS // HOUR_NS * HOUR_NS
ASKED = 25
ROLLUPS = ("minutes", "hours")
RECORDED = Path(__file__).with_name("recorded_host.csv")
Table = list[tuple[str, str]]


def main() -> Sequence[tuple[str, str]]:
    """Measure for some minutes, print a table, and return its rows. Needs 1.5 GB in the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-history-") as name:
        directory = Path(name)
        rows = [("disk: 4 KiB write + fdatasync", f"{fsyncs_per_s(directory):,.0f}/s")]
        day = [an_hour(hour, SERIES) for hour in range(HOURS)]
        rows += _history(directory / "metrics.db", day)
        rows += _plain_table(directory / "plain.db", day)
        rows += _recorded(directory / "recorded.db")
    for what, figure in rows:
        print(f"{what:<66} {figure}")
    return rows


def _history(path: Path, day: list[Rows]) -> Table:
    """Write the day as a node does, ten seconds at a time, and keep house each hour."""
    writer = HistoryWriter(path, "bench", HistoryConfig())
    names = tuple(f"series_{number}" for number in range(SERIES))
    write_ms: list[float] = []
    seal_ms: list[float] = []
    lag_ms: list[float] = []
    largest = 0
    began_cpu_s = time.process_time()
    for hour, values in enumerate(day):
        for first in range(0, 3600, TICKS_A_WRITE):
            ticks = Ticks(names, *_ticks(hour, first, values))
            write_ms.append(_ms(partial(writer.write, [ticks])))
        largest = max(largest, _bytes(path))
        now_ns = START_NS + (hour + 1) * HOUR_NS
        seal_ms.append(_ms(partial(writer.keep_house, now_ns), lag_ms))
    cpu_s = time.process_time() - began_cpu_s
    writer.close()
    samples = SERIES * 3600 * HOURS
    return [
        (f"history: {SERIES} series × 1 s × {HOURS} h, file with roll-ups (aim ≤ 1.5)", _each(_bytes(path), samples)),
        ("  at its largest, an hour not yet sealed", _each(largest, samples)),
        (f"  write {TICKS_A_WRITE} s of {SERIES} series", _spread(write_ms)),
        (f"  seal an hour of {SERIES} series", _spread(seal_ms)),
        ("  a thread that slept 1 ms meanwhile came late by", _spread(lag_ms)),
        ("  all of it, in CPU time", f"{cpu_s:.1f} s for the day, {cpu_s / 864:.3f} % of a core"),
        *_queries(path, day),
    ]


def _queries(path: Path, day: list[Rows]) -> Table:
    reader = HistoryReader(path)
    end_ns = START_NS + DAY_NS
    _, read = reader.samples("series_7", START_NS, end_ns)
    assert np.array_equal(read, np.concatenate(day)[:, 7]), "expected every sample back"
    rows = [
        (
            "  a day of one series, all 86,400 samples (aim < 5 ms)",
            _spread([_ms(partial(reader.samples, f"series_{n}", START_NS, end_ns)) for n in range(ASKED)]),
        ),
        (
            "  a day in 500 buckets",
            _spread([_ms(partial(reader.range, f"series_{n}", START_NS, end_ns, 500)) for n in range(ASKED)]),
        ),
        (
            "  an hour in 300 buckets",
            _spread([_ms(partial(reader.range, f"series_{n}", end_ns - HOUR_NS, end_ns, 300)) for n in range(ASKED)]),
        ),
    ]
    rows.append(("  list of series", _spread([_ms(reader.series) for _ in range(ASKED)])))
    reader.close()
    return rows


def _plain_table(path: Path, day: list[Rows]) -> Table:
    """The same rows with the same pragmas: clustered by series and time, which suits the questions best."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE samples (series INTEGER, at_ns INTEGER, value REAL, PRIMARY KEY (series, at_ns)) WITHOUT ROWID"
    )
    write_ms: list[float] = []
    began_cpu_s = time.process_time()
    for hour, values in enumerate(day):
        for first in range(0, 3600, TICKS_A_WRITE):
            times, ticks = _ticks(hour, first, values)
            rows = [(n, at, value) for at, row in zip(times, ticks, strict=True) for n, value in enumerate(row)]
            write_ms.append(_ms(partial(_insert, connection, rows)))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    cpu_s = time.process_time() - began_cpu_s
    sql = "SELECT at_ns, value FROM samples WHERE series = ? AND at_ns >= ? AND at_ns < ?"
    whole = (START_NS, START_NS + DAY_NS)
    read_ms = [_ms(partial(_all, connection, sql, (n, *whole))) for n in range(ASKED)]
    drawn = (
        "SELECT at_ns / 180000000000, min(value), max(value), avg(value), count(*) FROM samples"
        " WHERE series = ? AND at_ns >= ? AND at_ns < ? GROUP BY 1"
    )
    drawn_ms = [_ms(partial(_all, connection, drawn, (n, *whole))) for n in range(ASKED)]
    connection.close()
    return [
        (f"plain table: the same {SERIES} series, without roll-ups", _each(_bytes(path), SERIES * 3600 * HOURS)),
        (f"  write {TICKS_A_WRITE} s of {SERIES} series", _spread(write_ms)),
        ("  all of it, in CPU time", f"{cpu_s:.1f} s for the day, {cpu_s / 864:.3f} % of a core"),
        ("  a day of one series, all samples", _spread(read_ms)),
        ("  a day in 480 buckets", _spread(drawn_ms)),
    ]


def _insert(connection: apsw.Connection, rows: list[tuple[int, int, float]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")


def _all(connection: apsw.Connection, sql: str, bindings: tuple[int, ...]) -> object:
    return connection.execute(sql, bindings).fetchall()


def _recorded(path: Path) -> Table:
    """What SystemMonitor recorded on a host that built and tested for minutes, with all its small print."""
    with RECORDED.open(newline="") as file:
        names, *lines = csv.reader(file)
    ticks = Ticks(tuple(names[1:]))
    for line in lines:
        ticks.times_ns.append(int(line[0]))
        ticks.rows.append(tuple(float(value) for value in line[1:]))
    writer = HistoryWriter(path, "bench", HistoryConfig())
    writer.write([ticks])
    writer.keep_house(ticks.times_ns[-1] + 2 * HOUR_NS)
    writer.close()
    connection = apsw.Connection(str(path))
    seconds = _length(connection, "seconds", "packed") + _length(connection, "axes", "seconds")
    rollups = sum(_length(connection, level, "packed") + _length(connection, "axes", level) for level in ROLLUPS)
    connection.close()
    samples = len(ticks.rows) * len(ticks.names)
    return [
        (
            f"recorded: {len(ticks.names)} series for {len(ticks.rows)} s, as packed",
            f"{seconds / samples:.2f} B a sample, roll-ups {rollups / samples:.2f} B more",
        )
    ]


def _length(connection: apsw.Connection, table: str, column: str) -> int:
    return number(connection, f"SELECT coalesce(sum(length({column})), 0) FROM {table}")


def _ticks(hour: int, first: int, values: Rows) -> tuple[list[int], list[tuple[float, ...]]]:
    """A tick comes up to 3 ms late, as on a real loop."""
    numbers = range(first, first + TICKS_A_WRITE)
    times = [START_NS + (hour * 3600 + number) * SECOND_NS + number * 7 % 4 * 1_000_000 for number in numbers]
    return times, [tuple(row) for row in values[first : first + TICKS_A_WRITE].tolist()]


def _ms(work: Callable[[], object], lag_ms: list[float] | None = None) -> float:
    """Return how long the work took; with `lag_ms`, how late a thread that sleeps 1 ms came meanwhile."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(over, lag_ms)) if lag_ms is not None else None
    if watcher is not None:
        watcher.start()
    began = time.perf_counter()
    work()
    taken_ms = (time.perf_counter() - began) * 1e3
    over.set()
    if watcher is not None:
        watcher.join()
    return taken_ms


def _watch(over: threading.Event, lag_ms: list[float]) -> None:
    while not over.is_set():
        began = time.perf_counter()
        time.sleep(0.001)
        lag_ms.append((time.perf_counter() - began) * 1e3 - 1)


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if not file.name.endswith("-shm"))


def _each(size: int, samples: int) -> str:
    return f"{size / samples:.3f} B a sample, {size / 1e6:.1f} MB for {samples:,}"


def _spread(taken: list[float]) -> str:
    ranked = sorted(taken)
    return f"p50 {median(ranked):.2f} ms, p99 {ranked[len(ranked) * 99 // 100]:.2f} ms, max {ranked[-1]:.2f} ms"


if __name__ == "__main__":
    sys.exit(not main())
