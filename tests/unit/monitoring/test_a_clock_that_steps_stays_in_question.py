"""A step shows in one sample; it stays in question until another clock agrees, and a person hears when none can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.monitoring.clock_watch import ClockWatch, NobodyTellsTheTime
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample
from trading_orchestrator.perpetual_operations.recovery.default_ladders import DEFAULT_LADDERS

OFF = (HealthState.UNHEALTHY, "clock.off")
RIGHT = (HealthState.HEALTHY, "")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def watch(clock: VirtualClock) -> ClockWatch:
    return ClockWatch(clock)


def sample(step_s: float = 0.0, kernel_s: float | None = None) -> Sample:
    real = Gauge(Path("/")).take(1, 1, LoopReadings())
    return msgspec.structs.replace(real, clock_step_s=step_s, clock_offset_s=kernel_s)


def said(watch: ClockWatch) -> tuple[HealthState, str]:
    health = watch.health()
    return health.state, health.failure


def venue(offset_s: float) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        return offset_s

    return measure


async def test_a_step_in_one_sample_is_still_told_many_rounds_later(watch: ClockWatch, clock: VirtualClock) -> None:
    watch.note(sample(step_s=3600.0))
    for _ in range(60):
        await clock.advance(1.0)
        watch.note(sample())

    assert (OFF, "the wall clock stepped by +3600.0 s, 60 s ago") == (said(watch), watch.health().reason)


async def test_a_reference_that_agrees_ends_the_question(watch: ClockWatch) -> None:
    watch.add_reference("venue", venue(0.02))
    watch.note(sample(step_s=-3600.0))
    assert OFF == said(watch)

    assert "measured +0.020 s from venue" == await watch.measure()

    assert RIGHT == said(watch)


async def test_a_reference_that_differs_keeps_it_off_without_any_step(watch: ClockWatch) -> None:
    watch.heard("venue", -3600.0)

    assert OFF == said(watch)
    assert "our clock differs from venue by -3600.000 s" == watch.health().reason


async def test_a_difference_measured_long_ago_says_nothing_of_now(watch: ClockWatch, clock: VirtualClock) -> None:
    watch.heard("venue", -3600.0)
    await clock.advance(121.0)

    assert RIGHT == said(watch)


async def test_the_kernel_is_a_reference_too(watch: ClockWatch) -> None:
    watch.note(sample(kernel_s=0.7))
    assert OFF == said(watch)

    watch.note(sample(step_s=5.0, kernel_s=0.001))
    assert OFF == said(watch)
    await watch.measure()
    assert RIGHT == said(watch)


async def test_who_can_ask_nobody_says_so(watch: ClockWatch) -> None:
    async def away() -> float:
        raise Transient("connection refused")

    watch.note(sample(step_s=3600.0))
    with pytest.raises(NobodyTellsTheTime, match="nothing disciplines the clock"):
        await watch.measure()
    watch.add_reference("venue", away)

    with pytest.raises(NobodyTellsTheTime, match="venue: connection refused"):
        await watch.measure()
    assert OFF == said(watch)


async def test_a_step_nobody_can_check_outlasts_its_ladder_so_that_a_person_hears(
    watch: ClockWatch, clock: VirtualClock
) -> None:
    (ladder,) = [ladder for ladder in DEFAULT_LADDERS if ladder.failure == "clock.off"]
    most_s = sum(step.tries * (step.proof_s + step.deadline_s) for step in ladder.steps)
    watch.note(sample(step_s=3600.0))
    await clock.advance(most_s)

    assert OFF == said(watch)


async def test_an_offset_too_small_to_tell_has_no_sign_of_being_behind(watch: ClockWatch) -> None:
    watch.add_reference("venue", venue(-0.0002))
    await watch.measure()

    assert "+0.000 s from venue" == watch.health().reason
