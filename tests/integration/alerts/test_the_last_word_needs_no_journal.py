"""When the journal cannot commit, people hear of it by a path that needs no journal, and of the end of it too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.supervisor import RestartRule, Supervisor
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, load_alerts
from trading_orchestrator.perpetual_operations.alerts.progress import progress_of
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime, Outside
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard
from trading_orchestrator.perpetual_operations.alerts.tenure import Tenure
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import NewFact, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

pytestmark = pytest.mark.integration
WRITES = ("append", "claim_lease", "renew_lease", "release_lease")


@dataclass
class Mailbox:
    """A channel that keeps what it gets, and fails first as often as `failures` says."""

    failures: int = 0
    letters: list[Letter] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def send(self, letter: Letter) -> str:
        self.keys.append(letter.idempotency_key)
        if self.failures:
            self.failures -= 1
            raise Transient("away")
        self.letters.append(letter)
        return "200"

    async def close(self) -> None:
        return

    def told(self) -> list[tuple[str, str]]:
        return [(one.message.status, one.message.alerts[0].annotations["summary"]) for one in self.letters]


class FullDisk:
    """A store that refuses every write while `is_full`."""

    def __init__(self, store: SqliteStore) -> None:
        self.is_full = False
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if self.is_full and name in WRITES:
            return self._refuse
        return getattr(self._store, name)

    async def _refuse(self, *_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")


@dataclass
class Place:
    """Alerts under a supervisor, on a disk that can be full, with two channels: one is a last resort."""

    clock: VirtualClock
    disk: FullDisk
    supervisor: Supervisor
    pager: Mailbox = field(default_factory=Mailbox)
    chat: Mailbox = field(default_factory=Mailbox)
    runtime: AlertsRuntime = field(init=False)

    def __post_init__(self) -> None:
        store: Any = self.disk
        tenure = Tenure(store, self.clock, holder="node-1", boot_id=read_boot_id())
        plan = load_alerts(AlertsConfig(default_rules=False), source="test")
        outside = Outside(read=_nothing, read_plan=lambda: plan, open_board=self._board)
        self.runtime = AlertsRuntime(plan, store=store, clock=self.clock, tenure=tenure, outside=outside)
        self.supervisor.add(self.runtime, RestartRule(longest_wait_s=2.0))

    def _board(self, plan: Plan) -> Switchboard:
        board = Switchboard({}, {}, Opening(self.clock, str))
        board.lanes["pager"] = Lane("pager", self.pager, LaneConfig(), self.clock)
        board.lanes["chat"] = Lane("chat", self.chat, LaneConfig(last_resort=False), self.clock)
        return board

    async def write(self) -> None:
        store: Any = self.disk
        await store.append([NewFact("cluster", "lease.released", {})], node="node-1", fence=None)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            await self.clock.advance(0.1)
            await asyncio.sleep(0.001)  # a config is read on a thread, which virtual time does not move


async def _nothing() -> list[Reading]:
    return []


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    one = Place(clock, FullDisk(store), Supervisor(clock))
    one.supervisor.start("alerts")
    await one.pass_time(1)
    yield one
    await one.supervisor.stop("alerts")
    await store.close()


async def test_a_disk_that_stays_full_is_told_once_and_its_end_too(place: Place) -> None:
    assert place.runtime.manager.health().state.value == "healthy"
    place.disk.is_full = True
    await place.pass_time(60)
    assert 1 == len(place.pager.letters)
    place.disk.is_full = False
    await place.pass_time(10)

    (first, what), (last, end) = place.pager.told()
    assert ("firing", "resolved") == (first, last)
    assert "The journal cannot commit: the disk is full. No new order leaves, and no other alert is told." == what
    assert end.startswith("The journal commits again, after ")
    assert [] == place.chat.letters
    assert 2 == len({letter.idempotency_key for letter in place.pager.letters})


async def test_a_disk_that_was_busy_for_a_moment_wakes_nobody(place: Place) -> None:
    place.disk.is_full = True
    await place.pass_time(4)
    place.disk.is_full = False
    await place.pass_time(30)

    assert [] == place.pager.letters


async def test_a_last_resort_that_fails_is_tried_again_under_the_same_key(place: Place) -> None:
    place.pager.failures = 3
    place.disk.is_full = True
    await place.pass_time(60)

    assert 1 == len(place.pager.letters)
    assert (4, 1) == (len(place.pager.keys), len(set(place.pager.keys)))


async def test_it_is_said_again_every_hour_for_as_long_as_it_lasts(place: Place) -> None:
    place.disk.is_full = True
    await place.pass_time(60)
    for _ in range(3700):
        await place.clock.advance(1.0)

    assert ["firing", "firing"] == [status for status, _ in place.pager.told()]


async def test_progress_ends_with_the_journal_and_comes_back_with_it(place: Place) -> None:
    health = HealthChecker(place.clock, interval_s=1, deadline_s=1)
    progress = progress_of(place.runtime, lambda: health.report)
    await health.check()
    before = progress()
    place.disk.is_full = True
    await place.pass_time(30)
    during = progress()
    place.disk.is_full = False
    await place.pass_time(10)
    after = progress()

    assert ["healthy", "unhealthy", "healthy"] == [one.state.value for one in (before, during, after) if one]


async def test_who_must_not_tell_any_more_still_says_that_nobody_can(place: Place) -> None:
    """The console's lease runs out sooner than patience: the alerts end with it, and no other process can take over."""
    place.disk.is_full = True
    await place.pass_time(2)
    await place.supervisor.stop("alerts")
    speaking = asyncio.create_task(place.runtime.speak_last(place.write))
    await place.pass_time(60)
    assert ["firing"] == [status for status, _ in place.pager.told()]

    place.disk.is_full = False
    await place.pass_time(2)
    assert ["firing", "resolved"] == [status for status, _ in place.pager.told()]
    assert speaking.done()


async def test_who_leaves_while_all_is_well_says_nothing(place: Place) -> None:
    await place.supervisor.stop("alerts")
    await place.runtime.speak_last(place.write)
    place.disk.is_full = True
    await place.pass_time(60)

    assert [] == place.pager.letters
