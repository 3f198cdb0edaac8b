"""However far a range is drawn together, and wherever its samples lie by now, no extreme is lost."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
START_NS = 1_700_000_000 * SECOND_NS // HOUR_NS * HOUR_NS
VALUE = st.one_of(
    st.floats(-1e6, 1e6), st.floats(allow_nan=True), st.integers(0, 1000).map(lambda number: number / 1000)
)
STEP_MS = st.one_of(st.just(1000), st.integers(1, 5000), st.integers(60_000, 900_000), st.integers(-5000, -1))
WRITES = st.lists(st.lists(st.tuples(STEP_MS, VALUE), min_size=1, max_size=20), min_size=1, max_size=8)
POINTS = st.sampled_from([1, 2, 3, 7, 60, 500])


def written(path: Path, writes: list[list[tuple[int, float]]], house_after: int) -> tuple[list[int], list[float]]:
    """Write each list at once, keep house after some of them; return all times and values."""
    writer = HistoryWriter(path, "node", HistoryConfig())
    times: list[int] = []
    values: list[float] = []
    at_ns = START_NS
    for number, write in enumerate(writes):
        ticks = Ticks(("value", "other"))
        for step_ms, value in write:
            at_ns += step_ms * 1_000_000
            ticks.times_ns.append(at_ns)
            ticks.rows.append((value, 1.0))
        times += ticks.times_ns
        values += [row[0] for row in ticks.rows]
        writer.write([ticks])
        if number <= house_after:
            writer.keep_house(at_ns + HOUR_NS)
    writer.close()
    return times, values


@settings(max_examples=60)
@given(WRITES, st.integers(-1, 8), POINTS)
def test_every_number_lies_within_its_bucket(
    writes: list[list[tuple[int, float]]], house_after: int, points: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "metrics.db"
        times, values = written(path, writes, house_after)
        reader = HistoryReader(path)

        drawn = reader.range("value", min(times), max(times) + 1, points)
        read_times, read_values = reader.samples("value", min(times), max(times) + 1)
        reader.close()

    numbers = [(at, value) for at, value in zip(times, values, strict=True) if not math.isnan(value)]
    buckets = dict(zip(drawn.at_ns, zip(drawn.min, drawn.max, drawn.mean, drawn.count, strict=True), strict=True))
    held: dict[int, int] = {}
    for at, value in numbers:
        bucket = at // drawn.width_ns * drawn.width_ns
        low, high, _, _ = buckets[bucket]
        held[bucket] = held.get(bucket, 0) + 1
        assert low <= value <= high
    assert held == {at: count for at, (_, _, _, count) in buckets.items()}
    assert {low for low, *_ in buckets.values()} <= {value for _, value in numbers}
    assert all(math.isnan(mean) or low <= mean <= high for low, high, mean, _ in buckets.values())
    assert len(buckets) <= points + 1

    order = np.argsort(np.array(times), kind="stable")
    assert [times[at] for at in order] == read_times.tolist()
    assert np.array(values)[order].view(np.uint64).tolist() == read_values.view(np.uint64).tolist()
