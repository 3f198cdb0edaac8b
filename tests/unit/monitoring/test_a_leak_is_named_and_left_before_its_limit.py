"""Memory that only grows is confirmed by tracing, named by file and line, and left before its limit."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.leaks.agreement import OBJECTS
from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import (
    HandoverAsked,
    Judged,
    MemoryLeakDetector,
)
from trading_orchestrator.perpetual_operations.monitoring.leaks.relief import Relief
from trading_orchestrator.perpetual_operations.monitoring.leaks.tracer import TracemallocTracer
from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Cause, judge
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings

MB, HOUR_S = 1e6, 3600.0
LONG_WINDOWS_S = (900.0, 7200.0, 93_600.0)  # a step of a minute leaves the window of one minute empty


def test_a_verdict_needs_both_windows_and_most_of_the_growth() -> None:
    slope: dict[str, Any] = {"window_s": 5.0, "slope_bytes_s": 1000.0}

    named = judge([{"a.py:1": 4000, "b.py:2": 300}, {"a.py:1": 5000, "b.py:2": 200}], **slope)
    once = judge([{"a.py:1": 9000}, {"b.py:2": 9000}], **slope)
    slowed = judge([{"a.py:1": 1320, "b.py:2": 230, "c.py:3": 1000}] * 2, **slope)  # what a starved host showed
    spread = judge([dict.fromkeys("abcdefgh", 600)] * 2, **slope)

    assert (Cause.SITE, "a.py:1", 0.952, 0.8) == (
        named.cause,
        named.sites[0].where,
        named.sites[0].share,
        named.explained_ratio,
    )
    assert Cause.NATIVE is once.cause
    assert Cause.SITE is slowed.cause
    assert Cause.NONE is spread.cause
    assert "a.py:1 keeps 0.8 kB/s, 95 % of what stays allocated" == named.sentence


class Counting(TracemallocTracer):
    """Counts its windows."""

    windows = 0

    def start(self) -> bool:
        self.windows += 1
        return super().start()


class Program:
    """A process on a virtual clock: its memory is a number, and what it leaks it also leaks for real."""

    def __init__(self, clock: VirtualClock, leak_bytes_s: float, limit_mb: float, config: LeaksConfig) -> None:
        self.clock = clock
        self.leak_bytes_s = leak_bytes_s
        self.resident = 100 * MB
        self.kept: list[bytes] = []
        self.is_native = False
        self.small: list[list[int]] = []
        self.facts: list[tuple[str, object]] = []
        self.handed_over_at: float | None = None
        self.heir_is_ready = True
        self.lag_s = 0.0
        self.objects, self.objects_s = 100_000.0, 0.0
        self.descriptors, self.descriptors_s = 20.0, 0.0
        self.sample = Gauge(Path("/")).take(1, 1, LoopReadings())
        self.relief = Relief(lambda: int(self.resident))
        self.tracer = Counting()
        self.detector = MemoryLeakDetector(
            config,
            node="a",
            limit_bytes=int(limit_mb * MB),
            clock=clock,
            tracer=self.tracer,
            relief=self.relief,
            lag_s=lambda: self.lag_s,
            tell=self.tell,
            hand_over=self.hand_over,
            objects=lambda: int(self.objects),
        )

    async def tell(self, kind: str, body: object) -> None:
        self.facts.append((kind, body))

    async def hand_over(self, because: str) -> bool:
        if self.heir_is_ready and self.handed_over_at is None:
            self.handed_over_at = self.resident
        return self.heir_is_ready

    def leak(self, seconds: float) -> None:
        grown = int(self.leak_bytes_s * seconds)
        self.resident += grown
        self.objects += self.objects_s * seconds
        self.descriptors += self.descriptors_s * seconds
        del self.small[-2000:]
        if tracemalloc.is_tracing() and not self.is_native:  # outside the windows nobody looks
            self.kept.append(b"x" * grown)

    async def live(self, seconds: float, step_s: float = 1.0) -> None:
        """Run the detector's look each step, as its `run` does, with the clock moving meanwhile."""

        end_ns = self.clock.monotonic_ns() + int(seconds * 1e9)
        looking: asyncio.Task[None] | None = None
        while self.clock.monotonic_ns() < end_ns and self.handed_over_at is None:
            now = {"process_rss_bytes": int(self.resident), "process_descriptors": int(self.descriptors)}
            self.detector.note(msgspec.structs.replace(self.sample, **now))
            if looking is None or looking.done():
                looking = asyncio.create_task(self.detector.look())
                await asyncio.sleep(0)  # tracing may begin with it
            pause_s = 0.1 if tracemalloc.is_tracing() else step_s
            await self.clock.advance(pause_s)
            self.leak(pause_s)
            if tracemalloc.is_tracing():
                await asyncio.sleep(0.001)  # the snapshot is taken on a thread
        while looking is not None and not looking.done():
            await self.clock.advance(0.1)
            await asyncio.sleep(0.001)

    def bodies(self, kind: str) -> list[object]:
        return [body for name, body in self.facts if name == kind]


@pytest.fixture(autouse=True)
def traced_no_longer() -> Iterator[None]:
    yield
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize(
    ("leak_bytes_s", "limit_mb", "step_s", "hours"),
    [(0.5 * MB, 400.0, 1.0, 1.0), (3 * MB / HOUR_S, 220.0, 60.0, 48.0)],
)
async def test_a_planted_leak_is_named_by_its_line_and_handed_over_before_the_limit(
    leak_bytes_s: float, limit_mb: float, step_s: float, hours: float
) -> None:
    windows = LeaksConfig().windows_s if step_s == 1.0 else LONG_WINDOWS_S
    config = LeaksConfig(windows_s=windows, retrace_s=7200, trace_s=1.0)
    program = Program(VirtualClock(), leak_bytes_s, limit_mb, config)
    await program.live(hours * HOUR_S, step_s)

    (judged, *_) = program.bodies("leak.judged")
    assert isinstance(judged, Judged)
    source = Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(source, 1) if 'self.kept.append(b"x" * grown)' in text)
    assert f"{__file__}:{line}" == judged.verdict.sites[0].where
    assert judged.verdict.sites[0].share > 0.5
    assert program.handed_over_at is not None
    assert program.handed_over_at < limit_mb * MB
    (asked,) = program.bodies("memory.handover_asked")
    assert isinstance(asked, HandoverAsked)
    assert HealthState.DEGRADED is program.detector.health().state
    assert "memory.leak" == program.detector.health().failure


async def test_a_cache_that_gives_its_memory_back_was_no_leak() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 200.0, LeaksConfig())

    def clear() -> None:
        program.resident = 100 * MB

    program.relief.add_cache("quotes", clear)
    await program.live(400.0)

    assert [] == program.bodies("memory.handover_asked")
    assert "quotes" in str(program.bodies("memory.relieved")[0])
    assert program.detector.judged is None


async def test_without_an_heir_it_waits_and_asks_again() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 200.0, LeaksConfig())
    program.heir_is_ready = False
    await program.live(170.0)
    waiting = program.bodies("memory.handover_asked")
    program.heir_is_ready = True
    await program.live(30.0)

    assert [] == waiting
    assert program.handed_over_at is not None


async def test_a_loop_that_comes_late_ends_the_tracing_at_once_and_the_limit_is_kept_all_the_same() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 200.0, LeaksConfig())
    program.lag_s = 0.5
    await program.live(300.0)

    assert [] == program.bodies("leak.judged")
    assert [] == program.kept[2:]  # traced for one look at the clock only
    assert program.handed_over_at is not None
    assert program.handed_over_at < 200 * MB


async def test_growth_that_python_does_not_see_is_called_native() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 200.0, LeaksConfig())
    program.is_native = True
    await program.live(200.0)

    (judged, *_) = program.bodies("leak.judged")
    assert isinstance(judged, Judged)
    assert Cause.NATIVE is judged.verdict.cause
    assert () == judged.suspicion.agrees
    assert 1 == program.tracer.windows  # what one window did not see, two do not


async def test_growth_that_python_should_see_and_does_not_is_looked_at_again_and_not_called_native() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 200.0, LeaksConfig())
    program.is_native, program.objects_s = True, 500.0
    await program.live(200.0)

    (judged, *_) = program.bodies("leak.judged")
    assert isinstance(judged, Judged)
    assert (Cause.NONE, (OBJECTS,)) == (judged.verdict.cause, judged.suspicion.agrees)
    assert program.handed_over_at is not None
    assert program.handed_over_at < 200 * MB


async def test_what_grows_with_it_is_told() -> None:
    program = Program(VirtualClock(), 0.5 * MB, 400.0, LeaksConfig())
    program.descriptors_s = 1.0
    await program.live(200.0)

    (judged, *_) = program.bodies("leak.judged")
    assert isinstance(judged, Judged)
    assert Cause.SITE is judged.verdict.cause
    assert "; with it grow descriptors" in judged.sentence


async def test_a_leak_is_named_though_the_program_drops_more_objects_than_it_leaks() -> None:
    """Few large pieces are kept while many small ones go: only their bytes tell, not how many there are."""
    program = Program(VirtualClock(), 0.5 * MB, 400.0, LeaksConfig())
    program.small = [[number] for number in range(400_000)]
    await program.live(200.0)

    (judged, *_) = program.bodies("leak.judged")
    assert isinstance(judged, Judged)
    assert Cause.SITE is judged.verdict.cause
    assert len(program.small) < 200_000
