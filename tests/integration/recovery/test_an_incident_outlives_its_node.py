"""What all nodes share is not over because one of them is gone: its incident goes on where it is watched now."""

from __future__ import annotations

import pytest

from tests.integration.recovery.nodes import BROKER, LADDER, Nodes
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import DeadNodes
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.incidents.read import many_incidents
from trading_orchestrator.perpetual_operations.recovery.inheritance import NOBODYS_S
from trading_orchestrator.perpetual_operations.recovery.statistics import statistics

STANDS_BY = Health(HealthState.HEALTHY, "standing by", elsewhere=True)


async def test_the_heir_goes_on_with_an_outage_and_proves_its_end(nodes: Nodes) -> None:
    nodes.comes("a-1").breaks(BROKER)
    heir = nodes.comes("b-1")
    heir.readings[BROKER] = STANDS_BY
    await nodes.pass_time(5)
    opened = await nodes.only()
    await nodes.dies("a-1")
    heir.breaks(BROKER)
    await nodes.pass_time(10)
    assert (opened.incident_id, "b-1", False) == (
        (one := await nodes.only()).incident_id,
        one.node,
        one.is_over,
    )

    heir.readings[BROKER] = Health(HealthState.HEALTHY, "answers")
    await nodes.pass_time(3)

    one = await nodes.only()
    assert (opened.incident_id, "resolved", "broker/x reads healthy: answers") == (
        one.incident_id,
        one.state,
        one.proof,
    )


async def test_an_heir_that_sees_it_well_at_once_proves_that(nodes: Nodes) -> None:
    nodes.comes("a-1").breaks(BROKER)
    heir = nodes.comes("b-1")
    heir.readings[BROKER] = STANDS_BY
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    heir.readings[BROKER] = Health(HealthState.HEALTHY, "answers")
    await nodes.pass_time(10)

    one = await nodes.only()
    assert ("resolved", "broker/x reads healthy: answers", "hand_over") == (one.state, one.proof, one.ended_by)


async def test_who_only_stands_by_lets_go_and_proves_nothing(nodes: Nodes) -> None:
    first = nodes.comes("a-1")
    second = nodes.comes("b-1")
    first.breaks(BROKER)
    second.readings[BROKER] = STANDS_BY
    await nodes.pass_time(5)
    first.readings[BROKER] = STANDS_BY
    await nodes.pass_time(10)
    assert ("", False) == ((one := await nodes.only()).node, one.is_over)
    assert {} == first.incidents.open

    second.breaks(BROKER)
    await nodes.pass_time(10)
    assert ("b-1", False) == ((one := await nodes.only()).node, one.is_over)


async def test_both_may_see_it_and_one_story_is_told(nodes: Nodes) -> None:
    first, second = nodes.comes("a-1"), nodes.comes("b-1")
    first.breaks(BROKER)
    await nodes.pass_time(2)
    second.breaks(BROKER)
    await nodes.pass_time(3)
    opened = await nodes.only()
    await nodes.dies("a-1")
    await nodes.pass_time(10)

    assert (opened.incident_id, "b-1") == ((one := await nodes.only()).incident_id, one.node)
    assert [BROKER] == list(second.incidents.open)


async def test_what_was_inherited_stands_for_the_others_too(nodes: Nodes) -> None:
    nodes.comes("a-1").breaks(BROKER)
    await nodes.pass_time(5)
    opened = await nodes.only()
    await nodes.dies("a-1")
    nodes.comes("b-1").breaks(BROKER)
    await nodes.pass_time(10)
    third = nodes.comes("c-1")
    third.breaks(BROKER)
    await nodes.pass_time(5)

    assert (opened.incident_id, "b-1") == ((one := await nodes.only()).incident_id, one.node)
    assert opened.incident_id == third.incidents.open[BROKER].same_cause_as


async def test_what_nobody_has_at_present_speaks_for_nobody(nodes: Nodes) -> None:
    first, second = nodes.comes("a-1"), nodes.comes("b-1")
    first.breaks(BROKER)
    await nodes.pass_time(2)
    second.breaks(BROKER)
    await nodes.pass_time(1)
    own = second.incidents.open[BROKER]
    assert not await second.incidents.stands_for_itself(own.incident_id)

    let_go = first.incidents.open[BROKER]
    about = {"incident_id": let_go.incident_id, "at_ns": nodes.clock.wall_ns()}
    first.incidents.say(f.LetGo(**about, why="a test"))  # type: ignore[arg-type]
    await first.incidents.flush()

    assert await second.incidents.stands_for_itself(own.incident_id)


async def test_what_died_with_its_node_is_not_inherited(nodes: Nodes) -> None:
    dying, heir = nodes.comes("a-1"), nodes.comes("b-1")
    for node in (dying, heir):
        node.part("event_loop")
    dying.breaks("event_loop")
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    await DeadNodes(heir.incidents, nodes.clock, nodes.gone.__contains__).look()
    await nodes.pass_time(5)

    one = await nodes.only()
    assert ("resolved", False, "a-1") == (one.state, one.is_proved, one.node)
    (row,) = statistics([one])
    assert (0, 0, 1) == (row.repaired, row.by_themselves, row.unproved)


async def test_what_nobody_watches_any_more_ends_without_proof(nodes: Nodes) -> None:
    nodes.comes("a-1").breaks(BROKER)
    heir = nodes.comes("b-1")
    heir.readings[BROKER] = STANDS_BY
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    await nodes.pass_time(NOBODYS_S - 10)
    assert not (await nodes.only()).is_over

    await nodes.pass_time(20)

    assert ("resolved", False) == ((one := await nodes.only()).state, one.is_proved)


@pytest.mark.parametrize(("part", "by"), [(BROKER, ["a-1"]), ("memory", ["a-1"]), ("event_loop", ["a-1", "b-1"])])
async def test_a_budget_counts_the_nodes_before(nodes: Nodes, part: str, by: list[str]) -> None:
    """Of a part that each node has of its own, those that were in the same place."""
    done = []
    for name in ("a-1", "b-1", "a-2", "b-2"):
        node = nodes.comes(name)
        if not node.checker.watches(part):
            node.part(part)
        node.breaks(part, LADDER.failure)
        await nodes.pass_time(20)
        done += [name for each in node.done if each == f"hand_over {part}"]
        await nodes.dies(name)

    assert by == done


async def test_an_old_incident_is_found_behind_many_younger_ones(nodes: Nodes) -> None:
    nodes.comes("a-1").breaks(BROKER)
    await nodes.pass_time(5)
    opened = await nodes.only()
    await nodes.dies("a-1")
    log = IncidentLog(nodes.store, nodes.clock, node="c-1")
    for number in range(300):
        about = {"incident_id": log.new_id(), "at_ns": nodes.clock.wall_ns()}
        log.say(f.Opened(**about, part=f"part {number}", failure="x", reason="", last_well_ns=0))  # type: ignore[arg-type]
        log.say(f.Resolved(**about, proof="well", by=""))  # type: ignore[arg-type]
    await log.flush()

    nodes.comes("b-1").breaks(BROKER)
    await nodes.pass_time(10)

    (found,) = [one for one in await many_incidents(nodes.store) if one.incident_id == opened.incident_id]
    assert ("b-1", False) == (found.node, found.is_over)
