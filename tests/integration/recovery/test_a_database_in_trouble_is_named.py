"""A journal that is locked by another process, lost, or slow: each has its own name, and steps that really run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import HealthConfig, OperationsConfig
from trading_orchestrator.perpetual_operations.health.probes.journal import JournalProbe
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.perpetual_operations.recovery.default_ladders import DEFAULT_LADDERS
from trading_orchestrator.storage.ports import StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

THIEF = Path(__file__).with_name("lock_thief.py")
WITHIN_S = 30.0


@contextmanager
def locked_by_another_process(journal: Path) -> Iterator[None]:
    """Return while another process holds the write lock; it lets go at the end."""
    arguments = [sys.executable, str(THIEF), str(journal)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as thief:
        assert thief.stdin is not None
        assert thief.stdout is not None
        assert "locked\n" == thief.stdout.readline()
        try:
            yield
        finally:
            thief.stdin.close()


@pytest.fixture
async def operations(tmp_path: Path) -> AsyncIterator[PerpetualOperationsManager]:
    """A program with a journal, on the machine's own clock; nothing runs yet."""
    config = OperationsConfig(alerts=AlertsConfig(enabled=False), health=HealthConfig(interval_s=0.1))
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    yield PerpetualOperationsManager(config, store=store, clock=SystemClock(), data_dir=tmp_path)
    await store.close()


async def until(holds: Callable[[], object]) -> None:
    """Return as soon as something holds; the time is only a guard against waiting for ever."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - the parts under test run on the machine's own clock, and tell nobody
            await asyncio.sleep(0.02)


async def test_a_lock_held_by_another_process_opens_an_incident_of_its_name(
    operations: PerpetualOperationsManager, tmp_path: Path
) -> None:
    operations.watch()
    await until(lambda: operations.report.state is HealthState.HEALTHY)

    with locked_by_another_process(tmp_path / "journal.db"):
        await until(lambda: operations.incidents.open)
        (found,) = operations.incidents.open.values()
    assert ("journal", "database.locked") == (found.part, found.failure)

    await until(lambda: not operations.incidents.open)  # the lock is free again
    await operations.unwatch()


async def test_a_late_answer_under_a_lock_is_called_locked_before_the_writer_gives_up(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())

    async def write() -> None:
        await store.claim_lease("probe", holder="a", ttl_s=3.0)

    probe = JournalProbe(store, SystemClock(), write, answer_s=0.05)
    assert HealthState.HEALTHY is (await probe()).state
    seen: list[Health] = []
    with locked_by_another_process(tmp_path / "journal.db"):
        async with asyncio.timeout(WITHIN_S):
            while not seen or seen[-1].failure != "database.locked":
                seen.append(await probe())
                await asyncio.sleep(0.02)

    assert {"database.slow", "database.locked"} >= {one.failure for one in seen}
    assert seen[-1].reason.startswith("another process has kept it locked for ")
    await store.close()


FAILURE = Failure("i1", "journal", "database.lost", "the disk reports an error")


async def test_reconnect_opens_a_journal_anew_that_came_back(
    operations: PerpetualOperationsManager, tmp_path: Path
) -> None:
    store = operations.store
    await store.claim_lease("probe", holder="a", ttl_s=3.0)
    journal, away = tmp_path / "journal.db", tmp_path / "away.db"
    others = [Path(f"{journal}{end}") for end in ("-wal", "-shm")]
    moved = [(path, path.with_name(f"away{path.suffix}")) for path in others if path.exists()]
    journal.rename(away)
    for path, to in moved:
        path.rename(to)
    with pytest.raises(StorageUnavailable):
        await operations.recovery.actions["reconnect"](FAILURE)
    with pytest.raises(StorageUnavailable):
        await store.claim_lease("probe", holder="a", ttl_s=3.0)
    assert not journal.exists()  # an empty one in its place would be a journal without its facts

    away.rename(journal)
    for path, to in moved:
        to.rename(path)
    said = await operations.recovery.actions["reconnect"](FAILURE)

    assert said.startswith("dropped ")
    assert 2 == (await store.claim_lease("probe", holder="a", ttl_s=3.0)).epoch


async def test_a_slow_journal_has_its_log_written_back(operations: PerpetualOperationsManager) -> None:
    for _ in range(3):
        await operations.store.claim_lease("probe", holder="a", ttl_s=3.0)

    said = await operations.recovery.actions["write_log_back"](FAILURE)

    assert "wrote back " == said[:11]
    assert " 0 of 0 " not in said


class SlowWrites:
    """Writes that take as long as the test says, in the clock's time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.take_s = 0.0

    async def __call__(self) -> None:
        await self._clock.sleep(self.take_s)


async def asked(probe: JournalProbe, clock: VirtualClock, times: int = 1) -> tuple[HealthState, str]:
    """Return what the probe says at last when asked so often, a second apart."""
    said = []
    for _ in range(times):
        asking = asyncio.ensure_future(probe())
        await clock.advance(1.0)
        said.append(await asking)
    return said[-1].state, said[-1].failure


async def test_slow_commits_are_named_by_their_measured_times(store: SqliteStore, clock: VirtualClock) -> None:
    write = SlowWrites(clock)
    probe = JournalProbe(store, clock, write, answer_s=0.8, slow_s=0.5)
    assert (HealthState.HEALTHY, "") == await asked(probe, clock, 5)

    write.take_s = 0.6
    assert (HealthState.HEALTHY, "") == await asked(probe, clock, 2)
    assert (HealthState.DEGRADED, "database.slow") == await asked(probe, clock)


async def test_a_write_that_never_ends_is_slow_first_and_lost_after_the_ttl_of_a_lease(
    store: SqliteStore, clock: VirtualClock
) -> None:
    write = SlowWrites(clock)
    probe = JournalProbe(store, clock, write, answer_s=0.8)
    write.take_s = 1e6

    said = [await asked(probe, clock) for _ in range(4)]

    assert [(HealthState.DEGRADED, "database.slow")] * 3 == said[:3]
    assert (HealthState.UNHEALTHY, "database.lost") == said[3]


@pytest.mark.parametrize("lanes", ["journal-reader", "journal-upkeep"])
async def test_lanes_of_the_journal_climb_the_ladder_of_pools(
    operations: PerpetualOperationsManager, lanes: str
) -> None:
    (ladder,) = [ladder for ladder in DEFAULT_LADDERS if ladder.failure == "pool.exhausted"]
    assert lanes in {pool.name for pool in operations.pools.statuses()}
    part = f"pool/{lanes}"
    assert operations.health.watches(part)

    for step in ladder.steps:
        said = await operations.recovery.actions[step.action](Failure("i1", part, "pool.exhausted", "callers wait"))
        assert said
