"""While the journal can be read and not written, an heir goes on with an incident once, and repairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.recovery.nodes import BROKER, Nodes
from tests.integration.recovery.scene import WELL
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import DeadNodes
from trading_orchestrator.perpetual_operations.recovery.inheritance import NOBODYS_S
from trading_orchestrator.storage.ports import StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore

Lock = Callable[[], Callable[[], None]]


@pytest.fixture
def lock(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Return what lets the journal take nothing more; what that returns lets it take all again."""

    async def locked(*args: Any, **named: Any) -> Any:
        raise StorageUnavailable("locked")

    def now() -> Callable[[], None]:
        monkeypatch.setattr(store, "append", locked)
        return monkeypatch.undo

    return now


async def kinds(nodes: Nodes, node: str) -> list[str]:
    return [fact.kind for fact in await nodes.store.read(stream=f.STREAM, after_pos=0, limit=500) if fact.node == node]


def held(nodes: Nodes) -> dict[str, str]:
    """Return the incident that each living node has open for the broker."""
    return {name: one.incidents.open[BROKER].incident_id for name, one in nodes.living.items()}


async def test_it_is_inherited_once_and_its_ladder_climbed(nodes: Nodes, lock: Lock) -> None:
    nodes.comes("a-1").breaks(BROKER)
    await nodes.pass_time(5)
    opened = await nodes.only()
    await nodes.dies("a-1")
    heir = nodes.comes("b-1")
    heir.breaks(BROKER)
    unlock = lock()
    await nodes.pass_time(30)
    unlock()
    await nodes.pass_time(5)

    told = await kinds(nodes, "b-1")
    assert (1, 1) == (told.count(f.Inherited.kind), told.count(f.Merged.kind))
    assert 2 == told.count(f.Exhausted.kind)  # of its own, before it knew, and of the inherited one
    assert {"b-1": opened.incident_id} == held(nodes)


async def test_what_is_well_again_before_the_journal_is_ends_once(nodes: Nodes, lock: Lock) -> None:
    nodes.comes("a-1").breaks(BROKER)
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    heir = nodes.comes("b-1")
    heir.breaks(BROKER)
    unlock = lock()
    await nodes.pass_time(5)
    heir.readings[BROKER] = WELL
    await nodes.pass_time(20)
    unlock()
    await nodes.pass_time(5)

    told = await kinds(nodes, "b-1")
    assert (1, 1) == (told.count(f.Inherited.kind), told.count(f.Resolved.kind))
    assert "broker/x reads healthy: fine" == (await nodes.only()).proof


async def test_what_nobody_watches_is_ended_once(nodes: Nodes, lock: Lock) -> None:
    nodes.comes("a-1").breaks(BROKER)
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    nodes.comes("b-1").readings[BROKER] = Health(HealthState.HEALTHY, "standing by", elsewhere=True)
    unlock = lock()
    await nodes.pass_time(NOBODYS_S + 30)
    unlock()
    await nodes.pass_time(5)

    assert [f.Resolved.kind] == await kinds(nodes, "b-1")


async def test_what_died_with_its_node_is_ended_once(nodes: Nodes, lock: Lock) -> None:
    dying = nodes.comes("a-1")
    dying.part("event_loop")
    dying.breaks("event_loop")
    await nodes.pass_time(5)
    await nodes.dies("a-1")
    heir = nodes.comes("b-1")
    house = DeadNodes(heir.incidents, nodes.clock, nodes.gone.__contains__)
    unlock = lock()
    for _ in range(3):
        await house.look()
        await nodes.pass_time(5)
    unlock()
    await nodes.pass_time(5)

    assert [f.Resolved.kind] == await kinds(nodes, "b-1")


async def test_of_two_heirs_one_goes_on_and_stands_for_the_other(nodes: Nodes, lock: Lock) -> None:
    first = nodes.comes("a-1")
    first.breaks(BROKER)
    await nodes.pass_time(2)
    opened = await nodes.only()
    for name in ("b-1", "c-1"):
        nodes.comes(name).breaks(BROKER)
    await nodes.pass_time(5)
    unlock = lock()
    await nodes.dies("a-1")
    await nodes.pass_time(5)
    assert dict.fromkeys(("b-1", "c-1"), opened.incident_id) == held(nodes)

    unlock()
    await nodes.pass_time(10)

    (heir,) = [name for name, incident_id in held(nodes).items() if incident_id == opened.incident_id]
    (other,) = nodes.living.keys() - {heir}
    assert heir == (await nodes.only()).node
    assert opened.incident_id == nodes.living[other].incidents.open[BROKER].same_cause_as

    nodes.living[heir].readings[BROKER] = nodes.living[other].readings[BROKER] = WELL
    await nodes.pass_time(5)

    assert ("resolved", heir) == ((one := await nodes.only()).state, one.node)
