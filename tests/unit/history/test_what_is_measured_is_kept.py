"""Every number of a sample becomes a series; a disk that refuses costs nothing until it is written again."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import msgspec

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import values_of
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample

SECOND_NS = 1_000_000_000


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait((running,))


async def until_written(history: MetricsHistory, clock: VirtualClock, state: HealthState) -> None:
    """Writing happens on a real thread: let the loop turn until it is done."""
    await clock.advance(10.0)
    async with asyncio.timeout(20):
        while history.health().state is not state:
            await asyncio.sleep(0.001)
            await clock.advance(0.0)


def test_every_number_of_a_sample_is_a_series(tmp_path: Path) -> None:
    sample = Gauge(tmp_path).take(1, 1, LoopReadings(0.001234567890123))

    values = values_of(sample)

    assert {field.name for field in msgspec.structs.fields(Sample)} - {"at_ns"} == set(values)
    assert (0.001235, float(sample.process_rss_bytes)) == (values["loop_lag_s"], values["process_rss_bytes"])


async def test_what_was_recorded_is_written_in_time_and_the_rest_at_the_end(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "new" / "metrics.db"
    history = MetricsHistory(HistoryConfig(), clock=clock, path=path, node="a")
    running = asyncio.create_task(history.run())
    start_ns = clock.wall_ns()
    history.record(start_ns + 123_456_789, {"cpu": 0.25, "lag": float("nan")})
    await until_written(history, clock, HealthState.HEALTHY)
    first = await history.range("cpu", start_ns, start_ns + 60 * SECOND_NS, 60)
    history.record(start_ns + 11 * SECOND_NS, {"cpu": 0.5, "lag": 0.001})
    await ended(running)
    whole = await history.range("cpu@a", start_ns, start_ns + 60 * SECOND_NS, 60)

    assert ([0.25], [SECOND_NS]) == (first.max, [first.width_ns])
    assert [0.25, 0.5] == whole.max
    assert ["cpu@a", "lag@a"] == [line.series for line in await history.series()]
    assert start_ns + 123_000_000 == (await history.series())[0].first_ns  # times are kept to the millisecond


async def test_a_counters_past_is_read_in_few_samples_that_tell_every_fall(tmp_path: Path) -> None:
    clock = VirtualClock()
    history = MetricsHistory(HistoryConfig(), clock=clock, path=tmp_path / "metrics.db", node="a")
    start_ns = clock.wall_ns() // (3600 * SECOND_NS) * 3600 * SECOND_NS
    values = [float(second % 1_000) for second in range(7_200)]
    running = asyncio.create_task(history.run())
    for second, value in enumerate(values):
        history.record(start_ns + second * SECOND_NS, {"orders_total": value, "gone": float("nan")})
    await until_written(history, clock, HealthState.HEALTHY)
    await ended(running)
    end_ns = start_ns + 7_200 * SECOND_NS

    whole = await history.samples("orders_total@a", start_ns, end_ns)
    few_ns, few = await history.samples("orders_total@a", start_ns, end_ns, sparse_before_ns=end_ns - 600 * SECOND_NS)

    assert values == whole[1]
    assert [999.0] * 7 == [before for before, after in pairwise(few) if after < before]
    assert (start_ns, end_ns - SECOND_NS) == (few_ns[0], few_ns[-1])
    assert 110 + 600 <= len(few) <= 130 + 600
    assert ([], []) == await history.samples("gone@a", start_ns, end_ns)


async def test_while_the_file_cannot_be_written_nothing_is_lost_and_health_says_why(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "in the way" / "metrics.db"
    path.parent.write_text("a file where the directory should be")
    history = MetricsHistory(HistoryConfig(), clock=clock, path=path, node="a")
    running = asyncio.create_task(history.run())
    start_ns = clock.wall_ns()
    history.record(start_ns, {"cpu": 0.25})
    await until_written(history, clock, HealthState.DEGRADED)
    reason = history.health().reason
    history.record(start_ns + 10 * SECOND_NS, {"cpu": 0.5})
    path.parent.unlink()
    await until_written(history, clock, HealthState.HEALTHY)
    await ended(running)  # a write that was under way before the second tick may have been the one that went well
    kept = await history.range("cpu", start_ns, start_ns + 60 * SECOND_NS, 60)

    assert "metrics.db" in reason
    assert [0.25, 0.5] == kept.max


async def test_a_program_that_ends_at_once_leaves_no_directory_behind(tmp_path: Path) -> None:
    clock = VirtualClock()
    history = MetricsHistory(HistoryConfig(), clock=clock, path=tmp_path / "new" / "metrics.db", node="a")
    running = asyncio.create_task(history.run())
    await clock.advance(1.0)
    history.record(clock.wall_ns(), {"cpu": 0.25})

    await ended(running)

    assert [] == list(tmp_path.iterdir())
