"""A probe that hangs, fails or raises is an answer, too, and never holds up the others."""

from __future__ import annotations

import asyncio

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.dependencies import DependencyCircle, DependencyUnknown
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, HealthReport, ProbeTaken
from trading_orchestrator.storage.ports import StorageUnavailable


async def well() -> Health:
    return Health(HealthState.HEALTHY)


async def hangs() -> Health:
    await asyncio.Event().wait()
    raise AssertionError


async def is_unavailable() -> Health:
    raise StorageUnavailable("the disk is full: free space on it")


async def has_a_bug() -> Health:
    raise ZeroDivisionError("division by zero")


def checker(clock: VirtualClock) -> HealthChecker:
    return HealthChecker(clock, interval_s=1.0, deadline_s=0.5)


async def checked(health: HealthChecker, clock: VirtualClock) -> HealthReport:
    checking = asyncio.create_task(health.check())
    await clock.advance(0.5)
    return await checking


async def test_each_kind_of_failure_gets_a_state_and_a_reason() -> None:
    clock = VirtualClock()
    health = checker(clock)
    for probe in (well, hangs, is_unavailable, has_a_bug):
        health.add(probe.__name__, probe)

    report = await checked(health, clock)

    assert {
        "well": (HealthState.HEALTHY, ""),
        "hangs": (HealthState.UNHEALTHY, "no answer within 0.5 s"),
        "is_unavailable": (HealthState.UNHEALTHY, "the disk is full: free space on it"),
        "has_a_bug": (HealthState.UNKNOWN, "the probe failed: ZeroDivisionError: division by zero"),
    } == {part.name: (part.state, part.reason) for part in report.parts}


async def test_a_state_keeps_the_time_it_began() -> None:
    clock = VirtualClock()
    health = checker(clock)
    health.add("journal", well)
    first = await checked(health, clock)
    await clock.advance(10)

    second = await checked(health, clock)

    assert first.parts[0].since_ns == second.parts[0].since_ns
    assert first.at_ns < second.at_ns


async def test_a_hanging_probe_leaves_no_task_behind() -> None:
    clock = VirtualClock()
    health = checker(clock)
    health.add("hangs", hangs)

    await checked(health, clock)
    await asyncio.sleep(0)

    assert {asyncio.current_task()} == asyncio.all_tasks()


def test_a_name_is_given_once() -> None:
    health = checker(VirtualClock())
    health.add("journal", well)

    with pytest.raises(ProbeTaken, match="'journal' is registered already"):
        health.add("journal", well)


def test_a_dependency_that_nobody_registered_is_named_with_the_nearest() -> None:
    health = checker(VirtualClock())
    health.add("journal", well)
    health.add("desk", well, depends_on=["jurnal"])

    with pytest.raises(DependencyUnknown, match="did you mean `journal`"):
        health.check_graph()


def test_a_circle_is_refused_with_its_members() -> None:
    health = checker(VirtualClock())
    health.add("a", well, depends_on=["b"])
    health.add("b", well, depends_on=["a"])

    with pytest.raises(DependencyCircle, match=r"a → b → a|b → a → b"):
        health.check_graph()
