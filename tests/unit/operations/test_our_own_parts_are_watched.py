"""Who measures, keeps and journals is asked like any other part: one that stands still is an incident."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import Child, RestartRule
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import HealthConfig, OperationsConfig
from trading_orchestrator.perpetual_operations.health.health_checker import PartHealth
from trading_orchestrator.perpetual_operations.health.probes.own_part import BEGINS_WITHIN_S, own_part_probe
from trading_orchestrator.perpetual_operations.incidents.facts import ComponentEnded
from trading_orchestrator.perpetual_operations.incidents.incident_log import LOSS_SHOWN_S, WAITING_MAX
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Analyst
from trading_orchestrator.perpetual_operations.monitoring.analytics.config import AnalyticsConfig
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.self_watch import OWN_PARTS
from trading_orchestrator.storage.ports import Fact, Fence, NewFact, Put


class Sink(EmptyStore):
    """Takes every fact and keeps none."""

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        return []


def manager(tmp_path: Path) -> PerpetualOperationsManager:
    """One bad round is enough for it."""
    config = OperationsConfig(alerts=AlertsConfig(enabled=False), health=HealthConfig(fall_rounds=1))
    return PerpetualOperationsManager(config, store=Sink(), clock=VirtualClock(), data_dir=tmp_path)


async def word(operations: PerpetualOperationsManager, name: str) -> PartHealth:
    report = await operations.health.check()
    return next(part for part in report.parts if part.name == name)


async def until(happened: Any) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - a thread measures: let the loop turn until it has
            await asyncio.sleep(0.001)


async def test_a_measuring_thread_that_hangs_is_an_incident_and_leaves_us_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, hang, real = manager(tmp_path), threading.Event(), Gauge.take
    assert isinstance(operations.clock, VirtualClock)
    await operations.start()
    await until(lambda: operations.monitor.latest)
    before = await word(operations, "system_monitor")
    monkeypatch.setattr(Gauge, "take", lambda *about: (hang.wait(30), real(*about))[1])
    for _ in range(12):
        await operations.clock.advance(1)
    after = await word(operations, "system_monitor")
    is_ready = operations.report.is_ready
    operations.recovery.look(operations.report)
    opened = "system_monitor" in operations.incidents.open
    hang.set()
    await operations.stop()

    assert (HealthState.HEALTHY, HealthState.UNHEALTHY) == (before.state, after.state)
    assert "the last sample is" in after.reason
    assert (True, True) == (opened, is_ready)


async def test_every_part_of_ours_is_asked(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.insights()
    report = await operations.health.check()

    assert {*OWN_PARTS, "analytics"} <= {part.name for part in report.parts}


async def test_entries_that_were_lost_are_told(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    await operations.start()
    clock, note = (
        operations.clock,
        ComponentEnded(at_ns=1, component="x", reason="", wait_s=1.0, ends_in_row=1, over_budget=False),
    )
    assert isinstance(clock, VirtualClock)
    for _ in range(WAITING_MAX + 3):
        operations.incidents.record(note)
    part = await word(operations, "incident_log")
    await operations.incidents.flush()
    await clock.advance(LOSS_SHOWN_S - 1)
    still = operations.incidents.health()
    await clock.advance(1)
    later = operations.incidents.health()
    await operations.stop()

    said = "3 entries were lost while the journal could not be written"
    assert (HealthState.DEGRADED, said) == (part.state, part.reason)
    assert HealthState.DEGRADED is still.state
    assert (HealthState.HEALTHY, said) == (later.state, later.reason.partition("; ")[2])


async def test_who_has_begun_and_goes_no_further_says_so(tmp_path: Path) -> None:
    clock = VirtualClock()
    history = MetricsHistory(HistoryConfig(), clock=clock, path=tmp_path / "metrics.db", node="a")
    watch = JournalWatch(EmptyStore(), clock)
    analyst = Analyst(AnalyticsConfig(), clock=clock, nodes_now=tuple)
    writing = asyncio.create_task(history.run())
    await clock.advance(HistoryConfig().flush_s)
    await until(lambda: history.health().state is HealthState.HEALTHY)
    writing.cancel()
    watch.saw([])
    analyst.look(clock.wall_ns())
    parts = (history, watch, analyst)
    before = [part.health().state for part in parts]
    await clock.advance(90)

    assert ([HealthState.HEALTHY] * 3, [HealthState.UNHEALTHY] * 3) == (before, [part.health().state for part in parts])
    analyst.pause()
    assert HealthState.HEALTHY is analyst.health().state
    await asyncio.wait((writing,))


async def test_who_is_spared_before_the_first_look_is_well() -> None:
    clock = VirtualClock()
    analyst = Analyst(AnalyticsConfig(), clock=clock, nodes_now=tuple)
    analyst.pause()

    assert (HealthState.HEALTHY, "waits while load is shed") == ((said := analyst.health()).state, said.reason)
    analyst.resume()
    assert HealthState.STARTING is analyst.health().state


async def test_who_is_switched_on_again_begins_anew(tmp_path: Path) -> None:
    clock = VirtualClock()
    history = MetricsHistory(HistoryConfig(), clock=clock, path=tmp_path / "metrics.db", node="a")
    states = []
    for _ in range(2):
        writing = asyncio.create_task(history.run())
        await asyncio.sleep(0)
        states.append(history.health().state)
        await clock.advance(HistoryConfig().flush_s)
        await until(lambda: history.health().state is HealthState.HEALTHY)
        writing.cancel()
        await asyncio.wait((writing,))
        await clock.advance(3600)

    assert [HealthState.STARTING] * 2 == states


async def test_a_start_may_take_its_time_and_no_more() -> None:
    clock, said = VirtualClock(), [Health(HealthState.STARTING, "no sample yet")]
    probe = own_part_probe(Child(JournalWatch(EmptyStore(), clock), RestartRule()), lambda part: said[0], clock)
    states = [probe.health().state]
    await clock.advance(BEGINS_WITHIN_S + 1)
    states.append(probe.health().state)
    said[0] = Health(HealthState.HEALTHY, "goes")
    states.append(probe.health().state)
    said[0] = Health(HealthState.STARTING, "no sample yet")
    states.append(probe.health().state)

    assert [HealthState.HEALTHY, HealthState.UNHEALTHY, HealthState.HEALTHY, HealthState.HEALTHY] == states


async def test_what_of_the_host_may_be_the_reason_is_known(tmp_path: Path) -> None:
    report = await manager(tmp_path).health.check()

    stands_on = {part.name: part.depends_on for part in report.parts}
    assert (("disk",), ("cpu",), ("memory_leak_detector",)) == (
        stands_on["journal"],
        stands_on["event_loop"],
        stands_on["memory"],
    )
