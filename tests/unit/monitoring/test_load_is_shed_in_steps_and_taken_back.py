"""Pressure that lasts sheds load by the table, one step at a time, as facts; ease that lasts takes it back."""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.resources.clean_up import CleanUp
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import FULL_BYTES, Resource
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import (
    Lever,
    NothingLeft,
    ResourceMonitor,
)
from trading_orchestrator.perpetual_operations.monitoring.resources.shedding import NEVER_SHED, STEPS
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample

WELL = {
    "host_cpu_ratio": 0.2,
    "host_load_1m": 0.5,
    "host_memory_ratio": 0.3,
    "process_rss_bytes": 100_000_000,
    "disk_free_bytes": 50_000_000_000,
    "process_descriptors": 30,
    "loop_lag_s": 0.001,
    "clock_step_s": 0.0,
    "clock_offset_s": 0.0,
}
DAY_S = 86_400


@dataclass
class Host:
    """A host whose numbers a test chooses, its monitor, and what that did."""

    folder: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    facts: list[tuple[str, object]] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    journal_is_full: bool = False

    def __post_init__(self) -> None:
        self.sample: Sample = msgspec.structs.replace(Gauge(Path("/")).take(1, 1, LoopReadings()), **WELL)
        clean_up = CleanUp(self.folder, log_days=30, temp_hours=24)
        self.monitor = ResourceMonitor(
            ResourcesConfig(), node="a", clock=self.clock, clean_up=clean_up, memory_bytes=10**9, tell=self.tell
        )
        for name in ("caches", "dashboard_rate", "sampling", "optional_jobs", "non_critical_strategies"):
            self.monitor.add_lever(name, self.lever(name))

    def lever(self, name: str) -> Lever:
        undo = None if name == "caches" else lambda: self.moved.append(f"-{name}")
        return Lever(lambda: self.moved.append(f"+{name}"), undo)

    async def tell(self, kind: str, body: object) -> None:
        if self.journal_is_full:
            raise Transient("the disk is full")
        self.facts.append((kind, body))

    async def live(self, seconds: int, **numbers: float) -> None:
        self.sample = msgspec.structs.replace(self.sample, **numbers)
        for _ in range(seconds):
            self.monitor.note(self.sample)
            await self.monitor.look()
            await self.clock.advance(1.0)

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.facts]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_no_step_touches_what_keeps_a_desk_safe() -> None:
    levers = {step.lever for step in STEPS}

    assert {"cancels", "reconciliation", "alerts", "kill_switch", "lease_renewal"} == set(NEVER_SHED)
    assert set() == levers & set(NEVER_SHED)
    assert len(levers) == len(STEPS)
    assert set(Resource) - {Resource.DESCRIPTORS} == {each for step in STEPS for each in step.eases}


async def test_a_burst_sheds_nothing(host: Host) -> None:
    await host.live(29, host_cpu_ratio=1.0, host_load_1m=40.0)
    await host.live(5, host_cpu_ratio=0.1, host_load_1m=0.1)

    assert ([], []) == (host.moved, host.facts)


async def test_busy_cores_without_a_queue_are_no_pressure(host: Host) -> None:
    await host.live(120, host_cpu_ratio=1.0, host_load_1m=float(os.cpu_count() or 1))

    assert [] == host.moved


async def test_lasting_pressure_takes_one_step_after_another_and_ease_undoes_them_backwards(host: Host) -> None:
    await host.live(95, host_cpu_ratio=0.99, host_load_1m=40.0)
    shed = list(host.moved)
    degraded = host.monitor.health_of(Resource.CPU)
    await host.live(190, host_cpu_ratio=0.1, host_load_1m=0.1)

    assert ["+dashboard_rate", "+sampling", "+optional_jobs"] == shed
    assert (HealthState.DEGRADED, "cpu.saturated") == (degraded.state, degraded.failure)
    assert ["-optional_jobs", "-sampling", "-dashboard_rate"] == host.moved[3:]
    assert ["load.shed"] * 3 + ["load.restored"] * 3 + ["load.eased"] == host.kinds()
    assert [] == list(host.monitor.shed)
    assert HealthState.HEALTHY is host.monitor.health_of(Resource.CPU).state


async def test_between_limit_and_ease_nothing_moves(host: Host) -> None:
    await host.live(31, host_cpu_ratio=0.99, host_load_1m=40.0)
    await host.live(300, host_cpu_ratio=0.85)

    assert ["+dashboard_rate"] == host.moved


async def test_a_step_stays_while_another_resource_needs_it(host: Host) -> None:
    await host.live(95, host_cpu_ratio=0.99, host_load_1m=40.0)
    await host.live(100, host_cpu_ratio=0.1, host_load_1m=0.1, loop_lag_s=2.0)

    assert "-sampling" not in host.moved
    assert "-dashboard_rate" not in host.moved


async def test_memory_first_empties_caches_then_asks_for_more_and_then_begins_again(host: Host) -> None:
    await host.live(80, host_memory_ratio=0.97)

    assert ["+caches", "+optional_jobs", "+non_critical_strategies"] == host.moved[:3]
    assert host.moved.count("+caches") > 1


async def test_what_has_no_undoing_is_done_again_ever_more_seldom_and_each_time_a_fact(host: Host) -> None:
    at_s = []
    for second in range(460):
        before = host.moved.count("+caches")
        await host.live(1, host_memory_ratio=0.99)
        if host.moved.count("+caches") > before:
            at_s.append(second)
    again = [body for kind, body in host.facts if kind == "load.shed_again"]

    assert [60, 120, 240] == [round(after - before, -1) for before, after in itertools.pairwise(at_s)]
    assert len(at_s) - 1 == len(again)
    assert ("caches", "memory") == (getattr(again[0], "step", ""), getattr(again[0], "resource", ""))
    assert "once more, caches are emptied and memory is given back" == getattr(again[0], "says", "")


async def test_what_was_given_up_is_taken_back_at_the_end(host: Host) -> None:

    running = asyncio.create_task(host.monitor.run())
    for _ in range(40):
        host.monitor.note(msgspec.structs.replace(host.sample, host_cpu_ratio=0.99, host_load_1m=40.0))
        await host.clock.advance(1.0)
        await asyncio.sleep(0.001)  # the first look cleans up on a thread
    running.cancel()
    await asyncio.wait((running,))

    assert ["+dashboard_rate", "-dashboard_rate"] == host.moved
    assert ["load.shed", "load.restored", "load.eased"] == host.kinds()


async def test_the_last_word_is_said_until_the_journal_takes_it(host: Host) -> None:
    await host.live(31, host_cpu_ratio=0.99, host_load_1m=40.0)
    host.journal_is_full = True
    await host.live(125, host_cpu_ratio=0.1, host_load_1m=0.1)
    host.journal_is_full = False
    await host.live(3)

    assert ["load.shed", "load.eased"] == host.kinds()


@pytest.mark.parametrize(
    ("numbers", "which", "said"),
    [
        (
            {"host_cpu_ratio": 0.999, "host_load_1m": 40.0},
            Resource.CPU,
            "CPU of the host is at 99.9 %, its limit is 90 %",
        ),
        ({"host_memory_ratio": 0.97}, Resource.MEMORY, "memory of the host is at 97 %, its limit is 92 %"),
        ({"process_rss_bytes": 1.2e9}, Resource.MEMORY, "memory of this node is at 1.2 GB, its limit is 1.0 GB"),
        ({"disk_free_bytes": 4e8}, Resource.DISK, "400 MB are free on the disk, its floor is 1.0 GB"),
        ({"loop_lag_s": 1.25}, Resource.LOOP, "the event loop is late by 1.2 s, its limit is 500 ms"),
    ],
)
async def test_limits_are_told_with_their_units(
    host: Host, numbers: dict[str, float], which: Resource, said: str
) -> None:
    await host.live(1, **numbers)

    assert said == host.monitor.health_of(which).reason


async def test_a_lever_that_breaks_stops_nobody(host: Host) -> None:
    host.monitor.add_lever("dashboard_rate", Lever(lambda: 1 / 0, lambda: 1 / 0))
    await host.live(65, host_cpu_ratio=0.99, host_load_1m=40.0)
    await host.live(125, host_cpu_ratio=0.1, host_load_1m=0.1)

    assert ["+sampling", "-sampling"] == host.moved
    assert [] == list(host.monitor.shed)
    assert ["load.shed_failed", "load.shed", "load.restored", "load.eased"] == host.kinds()
    assert "dashboard_rate could not be given up: division by zero" == getattr(host.facts[0][1], "says", "")


async def test_a_lever_may_take_its_time_but_not_for_ever(host: Host) -> None:
    async def hangs() -> None:
        await host.clock.sleep(3600)

    async def cuts() -> None:
        await host.clock.sleep(1)
        host.moved.append("cut")

    host.monitor.add_lever("journal_log", Lever(cuts, None))
    host.monitor.add_lever("old_measurements", Lever(hangs, None))
    looking = asyncio.create_task(host.live(20, disk_free_bytes=100_000_000))
    for _ in range(60):
        await host.clock.advance(1.0)
        await asyncio.sleep(0.001)  # the disk is looked at on a thread
    await looking

    assert "cut" in host.moved
    assert "old_measurements could not be given up: it did not end within 5 s" in [
        getattr(body, "says", "") for kind, body in host.facts if kind == "load.shed_failed"
    ]


async def test_a_ladder_sheds_at_once_and_what_it_gave_up_comes_back_with_ease(host: Host) -> None:
    await host.live(1, loop_lag_s=0.001)
    said = await host.monitor.shed_load(Resource.LOOP)
    await host.live(50, loop_lag_s=0.001)
    assert ("the dashboard is refreshed every two seconds", ["+dashboard_rate"]) == (said, host.moved)

    await host.live(20, loop_lag_s=0.001)

    assert ["+dashboard_rate", "-dashboard_rate"] == host.moved


async def test_a_ladder_hears_that_nothing_is_left(host: Host) -> None:
    await host.live(1, loop_lag_s=0.001)
    for _ in range(4):
        await host.monitor.shed_load(Resource.LOOP)

    with pytest.raises(NothingLeft, match="everything that eases event_loop is given up already"):
        await host.monitor.shed_load(Resource.LOOP)


def file(folder: Path, name: str, size: int, age_s: float, clock: VirtualClock) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    at_s = clock.wall_ns() / 1e9 - age_s
    os.utime(path, (at_s, at_s))
    return path


async def test_expired_files_go_each_hour_and_nothing_else(host: Host) -> None:
    expired = {"logs/a.log": 31, "tmp/x": 2, "cache/y": 2, "live/dead": 1}
    needed = {"logs/b.log": 1, "journal.db": 900, "backups/1": 900, "live/a": 0}
    old = [file(host.folder, name, 10, days * DAY_S, host.clock) for name, days in expired.items()]
    kept = [file(host.folder, name, 10, days * DAY_S, host.clock) for name, days in needed.items()]
    outside = file(host.folder.parent / "elsewhere", "z", 10, 900 * DAY_S, host.clock)
    (host.folder / "tmp" / "link").symlink_to(outside)
    await host.live(2)

    assert [False] * 4 == [path.exists() for path in old]
    assert [True] * 4 == [path.exists() for path in kept]
    assert outside.exists()
    ((kind, removed),) = host.facts
    assert ("files.removed", 4, 40) == (kind, removed.files, removed.bytes)  # type: ignore[attr-defined]


async def test_below_the_floor_caches_and_the_oldest_logs_make_room_though_no_fact_is_taken(
    host: Host,
) -> None:
    host.journal_is_full = True
    cache = file(host.folder, "cache/y", 100, 120, host.clock)
    logs = [file(host.folder, f"logs/{days}", 1_000_000, days * DAY_S, host.clock) for days in (1, 2, 3)]
    fresh = file(host.folder, "tmp/now", 10, 0, host.clock)
    floor = ResourcesConfig().disk_floor_bytes
    await host.live(8, disk_free_bytes=floor - 10)

    assert not cache.exists()
    assert not logs[2].exists()
    assert fresh.exists()
    assert "disk.low" == host.monitor.health_of(Resource.DISK).failure


@pytest.mark.parametrize(("free_bytes", "failure"), [(FULL_BYTES, "disk.low"), (FULL_BYTES - 1, "disk.full")])
async def test_a_disk_is_full_when_it_may_take_no_write(host: Host, free_bytes: int, failure: str) -> None:
    await host.live(8, disk_free_bytes=free_bytes)

    assert failure == host.monitor.health_of(Resource.DISK).failure
