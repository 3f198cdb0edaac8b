"""`kill -9` of a node that records: what was written is there to the bit, also that of nodes long dead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.integration.operations.history_process import MINUTE_NS, START_NS, TICKS
from tests.integration.operations.recording_process import EVERY_S, FLUSH_S
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader

KILLS = 6
FOR_EVER_NS = START_NS + 1_000_000 * MINUTE_NS


@contextmanager
def recording(path: Path, node: str, first: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """Run a node that records; at the end it is killed if it still lives."""
    command = [sys.executable, "-m", "tests.integration.operations.history_process"]
    process = subprocess.Popen(
        [*command, str(path), node, str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines_of(process: subprocess.Popen[str], count: int | None = None) -> list[str]:
    """Return the next whole lines, all that are left without a count."""
    assert process.stdout is not None
    lines = (line.strip() for line in process.stdout if line.endswith("\n"))
    return list(lines) if count is None else [next(lines) for _ in range(count)]


def numbers_in(path: Path, series: str = "number") -> list[int]:
    reader = HistoryReader(path)
    times, values = reader.samples(series, 0, FOR_EVER_NS)
    reader.close()
    assert [START_NS + int(value) * MINUTE_NS for value in values] == times.tolist()
    return [int(value) for value in values]


def is_whole(path: Path) -> bool:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    answer = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return [("ok",)] == answer


def test_a_writer_killed_again_and_again_loses_nothing_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    first = 0
    for kill in range(KILLS):
        with recording(path, f"node-{kill}", first, 0) as node:
            assert ["open"] == lines_of(node, 1)
            said = lines_of(node, 5 + 11 * kill)
            node.kill()
            acknowledged = int((said + lines_of(node))[-1])
        kept = numbers_in(path, f"number@node-{kill}")

        assert is_whole(path)
        assert list(range(first, kept[-1] + 1)) == kept
        assert kept[-1] in (acknowledged, acknowledged + TICKS)  # at most the write under way
        first = kept[-1] + 1

    assert list(range(first)) == numbers_in(path)
    reader = HistoryReader(path)
    assert [f"number@node-{kill}" for kill in range(KILLS)] == [line.series for line in reader.series()][:KILLS]
    drawn = reader.range("number", START_NS, START_NS + first * MINUTE_NS, 10)
    assert (0, first - 1, first) == (min(drawn.min), max(drawn.max), sum(drawn.count))
    reader.close()


def test_a_node_killed_in_the_middle_loses_the_ticks_of_its_last_seconds_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    command = [sys.executable, "-m", "tests.integration.operations.recording_process", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as node:
        said = lines_of(node, 70)
        node.kill()
        recorded = int((said + lines_of(node))[-1])
    reader = HistoryReader(path)
    _, values = reader.samples("number", 0, FOR_EVER_NS + 10**18)
    reader.close()

    assert list(range(len(values))) == values.tolist()
    assert recorded - len(values) <= 3 * FLUSH_S / EVERY_S  # what waited for its write, and the write under way


def test_several_nodes_write_and_seal_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.db"
    with (
        recording(path, "a", 0, 3000) as a,
        recording(path, "b", 0, 3000) as b,
        recording(path, "dies", 0, 0) as dies,
    ):
        said = lines_of(dies, 40)
        dies.kill()
        killed_at = int((said + lines_of(dies))[-1])
        assert [0, 0] == [a.wait(), b.wait()]

    assert list(range(3000)) == numbers_in(path, "number@a") == numbers_in(path, "number@b")
    assert killed_at <= numbers_in(path, "number@dies")[-1] <= killed_at + TICKS
    assert is_whole(path)


def test_an_hour_left_by_a_dead_node_is_sealed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    with recording(path, "dead", 0, 50) as dead:
        dead.wait()
    before = rows_of(path, "tail")
    with recording(path, "next", 180, 10) as successor:
        successor.wait()

    assert 5 == before
    assert (1, 2) == (rows_of(path, "tail"), rows_of(path, "seconds"))
    assert list(range(50)) == numbers_in(path, "number@dead")


@pytest.mark.parametrize("series", ["number", "number@nobody", "nothing", ""])
def test_before_there_is_a_file_every_answer_is_empty(tmp_path: Path, series: str) -> None:
    reader = HistoryReader(tmp_path / "metrics.db")

    assert [] == list(reader.series())
    assert [] == reader.range(series, 0, FOR_EVER_NS, 100).at_ns
    assert not (tmp_path / "metrics.db").exists()


def rows_of(path: Path, table: str) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    count = next(connection.execute(f"SELECT count(*) FROM {table}"))[0]
    connection.close()
    assert isinstance(count, int)
    return count
