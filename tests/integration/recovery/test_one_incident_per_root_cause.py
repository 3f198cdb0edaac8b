"""Symptoms join the incident of their cause; a restart goes on with it; the journal may come back later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.integration.recovery.scene import WELL, MakeScene, Scene
from trading_orchestrator.journal.deaths import Deaths, clear_dead
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import DeadNodes, lives_no_more
from trading_orchestrator.perpetual_operations.incidents.incident import Incident, after, opened
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of, many_incidents
from trading_orchestrator.perpetual_operations.incidents.report import report
from trading_orchestrator.perpetual_operations.monitoring.resources.facts import GivenUp, LoadMoved
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
    assert ("resolved", "restart") == (incident.state, incident.ended_by)
    assert "database reads healthy: fine" == incident.proof


async def test_a_part_that_is_registered_late_is_not_forgotten(store: SqliteStore, clock: VirtualClock) -> None:
    for late_s in (0, 5):
        scene = Scene(store, clock)
        scene.action("restart", repairs=False)
        scene.part("something else")
        running = asyncio.create_task(run(scene, late_s + 3))
        await scene.pass_time(late_s)
        scene.part("database")
        scene.breaks("database")
        await running

    (incident,) = await incidents_of(store)
    assert not incident.is_over


async def test_what_nobody_registers_again_ends_without_proof(store: SqliteStore, clock: VirtualClock) -> None:
    first, second = Scene(store, clock), Scene(store, clock)
    for scene in (first, second):
        scene.action("restart", repairs=False)
        scene.part("something else")
    first.part("database")
    first.breaks("database")
    await run(first, 3)
    await run(second, 40)

    (incident,) = await incidents_of(store)
    assert ("resolved", False, "database is not watched any more") == (
        incident.state,
        incident.is_proved,
        incident.proof,
    )
    (row,) = statistics([incident])
    assert (1, 0, 0, 1) == (row.incidents, row.repaired, row.by_themselves, row.unproved)


@pytest.mark.parametrize(
    "reading",
    [Health(HealthState.STARTING, "begins"), Health(HealthState.HEALTHY, "standing by", elsewhere=True)],
)
async def test_what_proves_nothing_ends_nothing(make_scene: MakeScene, reading: Health) -> None:
    scene = make_scene()
    scene.part("broker/x")
    scene.breaks("broker/x")
    await scene.pass_time(2)
    scene.readings["broker/x"] = reading
    await scene.pass_time(2)

    (incident,) = await scene.told()
    assert not incident.is_over


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


class Node:
    """One of several nodes on one journal; what it sees of a part is the test's to say."""

    def __init__(self, name: str, store: SqliteStore, clock: VirtualClock, gone: set[str]) -> None:
        self.log = IncidentLog(store, clock, node=name, is_gone=lambda node: node in gone)
        self._clock = clock

    def fails(self, part: str) -> str:
        """Return the id of the incident that is opened."""
        about = {"incident_id": self.log.new_id(), "at_ns": self._clock.wall_ns(), "part": part}
        opened_now = f.Opened(**about, failure="database.lost", reason="gone", last_well_ns=0)  # type: ignore[arg-type]
        return self.log.say(opened_now).incident_id

    def heals(self, incident_id: str) -> None:
        about = {"incident_id": incident_id, "at_ns": self._clock.wall_ns()}
        self.log.say(f.Resolved(**about, proof="reads well", by=""))  # type: ignore[arg-type]


@dataclass
class Nodes:
    """Nodes `a` and `b`; `gone` are proved dead."""

    a: Node
    b: Node
    gone: set[str]


@pytest.fixture
def nodes(store: SqliteStore, clock: VirtualClock) -> Nodes:
    gone: set[str] = set()
    return Nodes(Node("a-1", store, clock, gone), Node("b-1", store, clock, gone), gone)


async def causes(store: SqliteStore) -> list[tuple[str, str]]:
    """Return part and node of what is shown, in order of node."""
    return sorted((one.part, one.node) for one in one_per_cause(await incidents_of(store)))


async def test_what_two_nodes_share_is_one_incident_by_the_order_of_the_journal(
    nodes: Nodes, store: SqliteStore
) -> None:
    second, first = nodes.b.fails("journal"), nodes.a.fails("journal")
    await nodes.a.log.flush()
    await nodes.b.log.flush()

    assert [("journal", "a-1")] == await causes(store)
    (seen,) = [one for one in await incidents_of(store) if one.incident_id == second]
    assert (first, "open") == (seen.same_cause_as, seen.state)
    assert [False, True] == [await nodes.b.log.stands_for_itself(second), await nodes.a.log.stands_for_itself(first)]


async def test_an_outage_of_the_journal_itself_is_compared_when_it_is_over(
    nodes: Nodes, store: SqliteStore, clock: VirtualClock
) -> None:
    ids = [node.fails("journal") for node in (nodes.a, nodes.b)]
    await clock.advance(20)
    for node, one in zip((nodes.a, nodes.b), ids, strict=True):
        node.heals(one)
        await node.log.flush()

    assert [("journal", "a-1")] == await causes(store)
    assert 1 == statistics(await incidents_of(store))[0].incidents


@pytest.mark.parametrize("part", ["event_loop", "memory"])
async def test_what_each_node_has_of_its_own_is_an_incident_of_its_own(
    nodes: Nodes, store: SqliteStore, part: str
) -> None:
    for node in (nodes.a, nodes.b):
        node.fails(part)
        await node.log.flush()

    assert [(part, "a-1"), (part, "b-1")] == await causes(store)


async def test_an_outage_of_yesterday_and_one_of_a_dead_node_stand_for_nobody(
    nodes: Nodes, store: SqliteStore, clock: VirtualClock
) -> None:
    nodes.a.heals(nodes.a.fails("journal"))
    await nodes.a.log.flush()
    await clock.advance(3600)
    nodes.b.heals(nodes.b.fails("journal"))
    await nodes.b.log.flush()
    assert [("journal", "a-1"), ("journal", "b-1")] == await causes(store)

    nodes.a.fails("broker/x")
    await nodes.a.log.flush()
    nodes.gone.add("a-1")
    nodes.b.fails("broker/x")
    await nodes.b.log.flush()
    assert ("broker/x", "b-1") in await causes(store)


async def test_who_lives_on_under_a_root_that_is_over_speaks_for_itself(nodes: Nodes) -> None:
    root = nodes.a.fails("journal")
    await nodes.a.log.flush()
    other = nodes.b.fails("journal")
    await nodes.b.log.flush()
    assert not await nodes.b.log.stands_for_itself(other)

    nodes.a.heals(root)
    await nodes.a.log.flush()

    assert await nodes.b.log.stands_for_itself(other)


async def test_a_living_console_ends_what_a_node_that_dies_under_it_left_open(
    nodes: Nodes, store: SqliteStore, clock: VirtualClock
) -> None:
    left = nodes.a.fails("event_loop")
    await nodes.a.log.flush()
    keeping_house = [
        asyncio.create_task(part.run())
        for part in (DeadNodes(nodes.b.log, clock, nodes.gone.__contains__), nodes.b.log)
    ]
    await clock.advance(20)
    assert ["open"] == [one.state for one in await incidents_of(store)]

    nodes.gone.add("a-1")
    await clock.advance(10)

    (incident,) = await incidents_of(store)
    assert (left, "resolved", "its node's end") == (incident.incident_id, incident.state, incident.ended_by)
    for task in keeping_house:
        task.cancel()
    await asyncio.gather(*keeping_house, return_exceptions=True)


async def test_a_living_console_ends_what_a_dead_node_gave_up_and_nothing_else(
    nodes: Nodes, store: SqliteStore, clock: VirtualClock
) -> None:
    step = LoadMoved("a-1", "sampling", "cpu", 1.0, 0.9, "slower", "CPU of the host is at 100 %")
    for node in ("a-1", "b-1"):
        await GivenUp(store, node=node).tell("load.shed", replace(step, node=node))
    also = GivenUp(store, node="b-1").end_for_the_dead
    keeping_house = asyncio.create_task(DeadNodes(nodes.b.log, clock, nodes.gone.__contains__, also).run())
    await clock.advance(20)
    assert [] == await store.read(kinds=["load.eased"])

    nodes.gone.add("a-1")
    await clock.advance(20)

    assert ["a-1"] == [msgspec.json.decode(fact.body)["node"] for fact in await store.read(kinds=["load.eased"])]
    keeping_house.cancel()
    await asyncio.gather(keeping_house, return_exceptions=True)


async def test_a_node_whose_file_was_cleared_away_is_gone_all_the_same(
    nodes: Nodes, store: SqliteStore, clock: VirtualClock, tmp_path: Path
) -> None:
    died = Incarnation.hold(tmp_path / "incarnations", "a-1", clock=clock, boot_id="0" * 36)
    deaths = Deaths(tmp_path / "incarnations")
    nodes.a.fails("event_loop")
    await nodes.a.log.flush()
    await nodes.b.log.close_for_the_dead(partial(lives_no_more, deaths.lives))
    assert ["open"] == [one.state for one in await incidents_of(store)]

    died.close()
    assert ["a-1"] == clear_dead(tmp_path / "incarnations")
    await nodes.b.log.close_for_the_dead(partial(lives_no_more, deaths.lives))
    await nodes.b.log.flush()

    assert not deaths.is_dead("a-1")
    assert ["resolved"] == [one.state for one in await incidents_of(store)]
