"""A refused key halts the desk; whether an accepted one lets it go on is the config's word, and a person's above it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import KeyRefused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import DeskModeChanged, DeskReconciled
from trading_orchestrator.trading.mode_requests import mode_requested
from trading_orchestrator.trading.waiting_to_start import CannotStart

QUESTIONS = ("order", "open_orders", "trades", "trades_of", "balances")
ORDERS = ("submit", "cancel")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with await World.open(tmp_path) as found:
        yield found


@contextmanager
def refusing(node: Node, *calls: str) -> Iterator[None]:
    """The venue refuses the key of this node to these calls, as long as the block lasts."""

    async def refuse(*_: object, **__: object) -> object:
        raise KeyRefused("-2015 Invalid API-key", venue_code="-2015", text="Invalid API-key")

    with pytest.MonkeyPatch.context() as patch:
        for call in calls:
            patch.setattr(node.broker, call, refuse)
        yield


async def trading(world: World, *, resumes: bool) -> Node:
    return await world.start(world.node("Buyer", {"orders": 9}, resume_when_key_works=resumes))


async def asked(world: World, mode: str) -> None:
    await world.store.append([mode_requested("paper", mode, by="ops", reason="looks")], node="ops", fence=None)
    await world.run(1.0)


async def said(world: World) -> list[str]:
    """Return the modes that the desk was in, and what it heard of its key, in order."""
    return [
        body.mode if isinstance(body, DeskModeChanged) else type(body).__name__
        for body in await world.facts("desk.mode_changed", "desk.key_refused", "desk.key_accepted")
    ]


async def test_it_reconciles_and_goes_on_in_the_mode_it_had(world: World) -> None:
    node = await trading(world, resumes=True)
    await asked(world, "reduce_only")
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
        assert "halted" == node.desk.mode
    await world.run(3.0)

    assert ("reduce_only", True) == (node.desk.mode, node.desk.acts)
    assert ["reduce_only", "DeskKeyRefused", "halted", "DeskKeyAccepted", "reduce_only"] == await said(world)
    looks = await world.facts("desk.reconciled")
    assert ["first", "key accepted"] == [look.trigger for look in looks if isinstance(look, DeskReconciled)]
    kinds = [kind for kind in await world.kinds() if kind.startswith("desk.")]
    assert ["desk.reconciled", "desk.key_accepted", "desk.mode_changed"] == kinds[-3:]


async def test_orders_leave_again(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.quote("1.1000")
        await world.run(3.0)
        await world.quote("1.1001")
    await world.run(3.0)

    await world.quote("1.1002")

    assert ["rejected", "rejected", "filled"] == await world.order_states()


async def test_it_waits_for_a_person_unless_told_otherwise(world: World) -> None:
    node = await trading(world, resumes=False)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    await world.run(60.0)
    assert ["DeskKeyRefused", "halted", "DeskKeyAccepted"] == await said(world)

    await asked(world, "normal")

    assert "normal" == node.desk.mode


async def test_an_answer_to_a_question_says_nothing_of_the_right_to_trade(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *ORDERS):
        await world.quote("1.1000")
        await world.run(60.0)
    await world.run(60.0)

    assert ["DeskKeyRefused", "halted"] == await said(world)


async def test_an_order_refused_first_and_a_question_after_it_are_told_as_two(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *ORDERS):
        await world.quote("1.1000")
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    await world.run(3.0)

    assert ["DeskKeyRefused", "halted", "DeskKeyRefused", "DeskKeyAccepted", "normal"] == await said(world)


async def test_what_a_person_decides_meanwhile_holds(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
        await asked(world, "halted")
    await world.run(60.0)

    assert ["DeskKeyRefused", "halted", "halted", "DeskKeyAccepted"] == await said(world)


async def test_a_heir_goes_on_too(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    node.crash()
    heir = world.node("Buyer", {"orders": 9}, resume_when_key_works=True)
    await world.warm(heir)
    with refusing(heir, *QUESTIONS), pytest.raises(CannotStart):
        await world.take(heir, Succession.EXPIRED)

    await world.start(heir, Succession.EXPIRED)

    assert "normal" == heir.desk.mode
    assert ["DeskKeyRefused", "halted", "DeskKeyAccepted", "normal"] == await said(world)
