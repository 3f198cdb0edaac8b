"""Symptoms join the incident of their cause; a restart goes on with it; the journal may come back later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from tests.integration.recovery.scene import WELL, MakeScene, Scene
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident import Incident, after, opened
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of, many_incidents
from trading_orchestrator.perpetual_operations.incidents.report import report
from trading_orchestrator.perpetual_operations.recovery.statistics import StepTimes, statistics
from trading_orchestrator.storage.ports import CommitUnknown, Fact, Fence, NewFact, Put, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore

GONE = Health(HealthState.UNHEALTHY, "gone")


async def test_dependants_join_the_incident_of_their_cause(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.part("database")
    scene.part("orders", ["database"])
    scene.part("reports", ["orders"])
    for part in ("database", "orders", "reports"):
        scene.breaks(part)

    await scene.pass_time(3)

    (incident,) = await scene.told()
    assert ("database", ("orders", "reports")) == (incident.part, incident.affected)


async def test_a_symptom_seen_first_is_merged_when_its_cause_shows(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.part("database")
    scene.part("orders", ["database"])
    scene.breaks("orders")
    await scene.pass_time(2.5)
    scene.breaks("database")

    await scene.pass_time(2)

    symptom, cause = await scene.told()
    assert ("orders", "merged", cause.incident_id) == (symptom.part, symptom.state, symptom.merged_into)
    assert ("database", ("orders",)) == (cause.part, cause.affected)
    assert ["database"] == list(scene.incidents.open)


class StoreThatFails:
    """A journal that cannot be written until it can, or that does not know whether it wrote."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.fails_with: Exception | None = None
        self.writes_before_failing = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        if self.fails_with is not None and not self.writes_before_failing:
            raise self.fails_with
        written = await self._store.append(facts, node=node, fence=fence, puts=puts)
        if self.fails_with is not None:
            error, self.fails_with = self.fails_with, None
            raise error
        return written


@pytest.fixture
def store_that_fails(store: SqliteStore) -> StoreThatFails:
    return StoreThatFails(store)


async def run(scene: Scene, seconds: float) -> None:
    running = [asyncio.create_task(part.run()) for part in (scene.checker, scene.incidents, scene.recovery)]
    try:
        await scene.pass_time(seconds)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_restart_goes_on_with_what_was_open(store: SqliteStore, clock: VirtualClock) -> None:
    for reading in (GONE, WELL):
        scene = Scene(store, clock)
        scene.part("database")
        scene.action("restart", repairs=False)
        scene.readings["database"] = reading
        await run(scene, 3)

    (incident,) = await incidents_of(store)
    assert ("resolved", "") == (incident.state, incident.ended_by)


async def test_recovery_does_not_wait_for_the_journal(store_that_fails: StoreThatFails, clock: VirtualClock) -> None:
    scene = Scene(store_that_fails, clock)  # type: ignore[arg-type]
    scene.part("journal")
    scene.action("restart")
    scene.breaks("journal")
    store_that_fails.fails_with = StorageUnavailable("disk full")
    await run(scene, 5)
    assert ["restart journal"] == scene.done
    assert () == tuple(await scene.told())

    store_that_fails.fails_with = None
    await run(scene, 3)

    assert ["resolved"] == [incident.state for incident in await scene.told()]


@pytest.mark.parametrize("written", [True, False])
async def test_an_unknown_commit_is_not_doubled(
    store_that_fails: StoreThatFails, clock: VirtualClock, written: bool
) -> None:
    scene = Scene(store_that_fails, clock)  # type: ignore[arg-type]
    scene.part("feed")
    scene.action("restart")
    scene.breaks("feed")
    store_that_fails.fails_with = CommitUnknown("who knows")
    store_that_fails.writes_before_failing = written
    running = asyncio.create_task(run(scene, 6))
    await asyncio.sleep(0)
    if not written:
        await scene.pass_time(0)
        store_that_fails.fails_with = None
    await running

    kinds = [fact.kind for fact in await scene.store.read(stream=f.STREAM)]
    assert kinds == list(dict.fromkeys(kinds))
    assert "incident.resolved" == kinds[-1]


def story(*bodies: f.Body) -> Incident:
    first, *rest = bodies
    assert isinstance(first, f.Opened)
    incident = opened(first, "a")
    for body in rest:
        incident = after(incident, body)
    return incident


OPENED = f.Opened(
    incident_id="i1",
    at_ns=3_000_000_000,
    part="database",
    failure="database.lost",
    reason="refused",
    last_well_ns=10**9,
)
TRIED = f.StepEnded(
    incident_id="i1", at_ns=4 * 10**9, step=1, action="restart", attempt=1, outcome="done", said="did", took_ms=5.0
)
ENDED = f.Resolved(incident_id="i1", at_ns=8 * 10**9, proof="database reads healthy", by="restart")


def test_the_report_tells_cause_impact_times_and_steps() -> None:
    told = report(story(OPENED, TRIED, ENDED), ["12 orders were sent, none was lost."])

    assert "# database: database.lost" in told
    assert "Over since 1970-01-01 00:00:08.000, recovered by `restart`." in told
    assert "- 12 orders were sent, none was lost." in told
    assert "| last read well → detected | 2.000 |" in told
    assert "| detected → proved well | 5.000 |" in told
    assert "| restart | 1 | done | 5 ms | did |" in told


def test_statistics_count_by_class_and_step() -> None:
    (row,) = statistics([story(OPENED, TRIED, ENDED), story(OPENED)])

    assert ("database.lost", 2, 1, 1, 0) == (row.failure, row.incidents, row.open, row.repaired, row.by_themselves)
    assert (2.0, 5.0) == (row.detect.p50_s, row.recover.max_s)
    assert ("restart", 1, 1, 0, 1) == (
        row.steps[0].action,
        row.steps[0].attempts,
        row.steps[0].done,
        row.steps[0].failed,
        row.steps[0].repaired,
    )


def test_statistics_tell_how_long_each_step_takes() -> None:
    slow, skipped = replace(TRIED, took_ms=250.0, outcome="late"), replace(TRIED, took_ms=0.0, outcome="skipped")
    (row,) = statistics([story(OPENED, TRIED, slow, skipped, ENDED), story(OPENED, TRIED)])

    assert StepTimes(5.0, 250.0, 250.0) == row.steps[0].took
    assert (3, 1) == (row.steps[0].attempts, row.steps[0].skipped)


async def test_statistics_count_beyond_a_page_and_none_twice(store: SqliteStore, clock: VirtualClock) -> None:
    log = IncidentLog(store, clock, node="a")
    for number in range(1100):
        opened_now = replace(OPENED, incident_id=f"i{number}", part=f"part {number}")
        log.say(opened_now)
    await log.flush()

    found = await many_incidents(store)
    assert {f"i{number}" for number in range(1100)} == {one.incident_id for one in found}
    assert 1100 == len(found)


def test_every_fact_of_an_incident_reads_back() -> None:
    for body in (OPENED, TRIED, ENDED):
        assert body == msgspec.json.decode(msgspec.json.encode(body), type=f.KINDS[body.kind])
