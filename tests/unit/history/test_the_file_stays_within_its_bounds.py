"""Seconds, minutes and hours each end after their days; above the bound the oldest go first, and nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_file import NotAHistory
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Pending, Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
START_NS = 1_700_000_000 * SECOND_NS // HOUR_NS * HOUR_NS
LARGE = 4_000_000


def record_hours(path: Path, config: HistoryConfig, hours: int, *, step_s: int = 60, series: int = 1) -> int:
    """Record noise from START_NS on, keeping house each hour; return when it ended."""
    writer = HistoryWriter(path, "node", config)
    noise = np.random.default_rng(1).normal(size=(hours * 3600 // step_s, series))
    names = tuple(f"series_{number}" for number in range(series))
    ticks_an_hour = 3600 // step_s
    for hour in range(hours):
        rows = noise[hour * ticks_an_hour : (hour + 1) * ticks_an_hour]
        times = [START_NS + hour * HOUR_NS + tick * step_s * SECOND_NS for tick in range(ticks_an_hour)]
        writer.write([Ticks(names, times, [tuple(row) for row in rows.tolist()])])
        writer.keep_house(START_NS + (hour + 1) * HOUR_NS)
    writer.close()
    return START_NS + hours * HOUR_NS


def test_each_resolution_ends_after_its_days(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    config = HistoryConfig(retention_days=1, minute_days=2, hour_days=4)
    end_ns = record_hours(path, config, 24 * 6)
    reader = HistoryReader(path)

    seconds, _ = reader.samples("series_0", 0, end_ns)
    minutes = reader.range("series_0", end_ns - 8 * DAY_NS, end_ns, 8 * 24 * 60)
    hours = reader.range("series_0", end_ns - 8 * DAY_NS, end_ns, 8 * 24)

    assert 24 * 60 == len(seconds)
    assert end_ns - DAY_NS == seconds[0]
    assert end_ns - 4 * DAY_NS == minutes.at_ns[0]  # where the minutes are gone, the hours answer
    assert 2 * 24 + 2 * 24 * 60 == len(minutes.at_ns)
    assert [60] * 4 * 24 == hours.count
    reader.close()


def test_a_disk_that_is_short_is_given_room_at_once(tmp_path: Path) -> None:
    path, config = tmp_path / "metrics.db", HistoryConfig()
    end_ns = record_hours(path, config, 24 * 3)
    writer = HistoryWriter(path, "node", config)
    kept = []
    for keeps in (config, msgspec.structs.replace(config, retention_days=1, minute_days=1)):
        writer.keep_house(end_ns, keeps)
        reader = HistoryReader(path)
        kept.append(len(reader.samples("series_0", 0, end_ns)[0]))
        reader.close()
    writer.close()

    assert [24 * 3 * 60, 24 * 60] == kept


def test_above_the_bound_the_oldest_seconds_go_first(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    end_ns = record_hours(path, HistoryConfig(max_bytes=LARGE), 20, step_s=1, series=10)
    reader = HistoryReader(path)

    seconds, _ = reader.samples("series_3", 0, end_ns)
    whole = reader.range("series_3", START_NS, end_ns, 20)

    assert path.stat().st_size <= LARGE
    assert end_ns - SECOND_NS == seconds[-1]
    assert 3600 * 5 < len(seconds) < 3600 * 20
    assert [3600] * 20 == whole.count
    reader.close()


def test_a_node_of_which_nothing_is_left_is_forgotten_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    config = HistoryConfig(retention_days=1, minute_days=1, hour_days=1)
    old = HistoryWriter(path, "old", config)
    old.write([Ticks(("x",), [START_NS], [(1.0,)])])
    new = HistoryWriter(path, "new", config)
    new.write([Ticks(("x",), [START_NS + 5 * DAY_NS], [(2.0,)])])
    new.keep_house(START_NS + 5 * DAY_NS + HOUR_NS)
    reader = HistoryReader(path)

    assert ["x@new"] == [line.series for line in reader.series()]
    old.write([Ticks(("x",), [START_NS + 6 * DAY_NS], [(3.0,)])])
    assert ["x@new", "x@old"] == [line.series for line in reader.series()]
    assert [2.0, 3.0] == reader.samples("x", 0, START_NS + 9 * DAY_NS)[1].tolist()
    for each in (old, new, reader):
        each.close()


def test_ticks_wait_in_memory_within_a_bound_and_the_oldest_go_first() -> None:
    pending = Pending(10)
    for number in range(6):
        pending.add(number, {"a": number, "b": number})
    taken = pending.take()
    pending.add(6, {"a": 6, "b": 6})

    pending.put_back(taken)

    assert 2 == pending.dropped
    assert [[2, 3, 4, 5, 6]] == [ticks.times_ns for ticks in pending.take()]


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    path.write_bytes(b"not a database, but somebody's notes" * 100)
    writer = HistoryWriter(path, "node", HistoryConfig())

    with pytest.raises(NotAHistory, match="move it away"):
        writer.write([Ticks(("x",), [1], [(1.0,)])])

    assert path.read_bytes().startswith(b"not a database")
    assert issubclass(NotAHistory, Refused)
