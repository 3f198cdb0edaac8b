"""A refused key halts the desk; whether an accepted one lets it go on is the config's word, and a person's above it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.desk.test_cancels_go_when_the_journal_does_not import FULL, Disk, at_venue
from tests.unit.desk.world import GRACE_S, Node, World
from trading_orchestrator.brokers.port import KeyRefused, NoAnswer
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import DeskModeChanged, DeskReconciled
from trading_orchestrator.trading.key_stop import EVERY_KIND
from trading_orchestrator.trading.mode_requests import RECOVERY, mode_requested
from trading_orchestrator.trading.shift import Shift
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

    refuse = raising(KeyRefused("-2015 Invalid API-key", venue_code="-2015", text="Invalid API-key"))
    with pytest.MonkeyPatch.context() as patch:
        for call in calls:
            patch.setattr(node.broker, call, refuse)
        yield


def raising(error: Exception) -> Callable[..., Awaitable[object]]:
    """Return a question that ends in this error."""

    async def fail(*_: object, **__: object) -> object:
        raise error

    return fail


async def trading(world: World, *, resumes: bool) -> Node:
    return await world.start(world.node("Buyer", {"orders": 9}, resume_when_key_works=resumes))


async def asked(world: World, mode: str, *, by: str = "ops") -> None:
    await world.store.append([mode_requested("paper", mode, by=by, reason="looks")], node="ops", fence=None)
    await world.run(1.0)


async def ending(world: World, node: Node) -> Shift:
    """Return the shift that is ended for the key that works again, at the moment when that begins."""
    shift = node.desk._shift
    assert shift is not None
    shift._polls.ask_soon(EVERY_KIND)
    for _ in range(300):
        if shift.floor.is_closed:
            return shift
        await world.run(0.01)
    raise AssertionError("the desk did not begin anew")


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


@pytest.mark.parametrize("mode", ["reduce_only", "halted"])
async def test_what_recovery_asks_for_meanwhile_holds(world: World, mode: str) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
        await asked(world, mode, by=RECOVERY)
    await world.run(60.0)

    assert ["DeskKeyRefused", "halted", "halted", "DeskKeyAccepted"] == await said(world)


async def test_a_desk_that_found_meanwhile_what_a_person_must_see_waits_for_him(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
        node.desk.disable_strategy("s", "strategy.stuck", "it is stuck", reduce_only=True)
    await world.run(60.0)

    assert ["DeskKeyRefused", "halted", "halted", "DeskKeyAccepted"] == await said(world)


async def test_a_strategy_that_a_person_must_let_back_stays_out(world: World) -> None:
    node = await trading(world, resumes=True)
    node.desk.disable_strategy("s", "strategy.crashed", "it crashed", reduce_only=False)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    await world.run(3.0)
    await world.quote("1.1000")

    assert ("normal", "it crashed") == (node.desk.mode, node.desk.stays_out("s"))
    assert [] == await world.order_states()


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("question", ["open_orders", "trades", "balances"])
async def test_a_key_that_may_not_ask_everything_is_not_accepted(world: World, question: str, resumes: bool) -> None:
    node = await world.start(world.node("Buyer", resume_when_key_works=resumes, compare_s=3.0))
    with refusing(node, question):
        await world.run(8.0)
        assert ["DeskKeyRefused", "halted"] == await said(world)
        assert node.desk.acts  # so the kill switch works, and fills are booked
    await world.run(4.0)

    assert "DeskKeyAccepted" in await said(world)


async def test_a_desk_that_is_not_armed_says_once_that_its_key_is_refused(world: World) -> None:
    node = await world.start(world.node("Buyer", {"orders": 9}, live=True, resume_when_key_works=True))
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(10.0)
    await world.run(3.0)

    assert ["DeskKeyRefused", "halted", "DeskKeyAccepted", "normal"] == await said(world)
    assert "unarmed" == node.desk.mode


async def test_a_cancel_under_way_is_followed_by_the_next_shift(world: World) -> None:
    node = await world.start(
        world.node("Buyer", {"px": "1.0900", "cancel_at_bid": "1.2000"}, resume_when_key_works=True)
    )
    await world.quote("1.1000")
    with refusing(node, *QUESTIONS):
        await world.run(3.0)
    world.fault("cancel", Effect.LOST)
    await world.quote("1.2000")
    shift = await ending(world, node)
    assert shift._gateway._under_way
    await world.run(2 * GRACE_S)

    assert (["canceled"], []) == (await world.order_states(), at_venue(world))
    assert 1 == len(world.submits)


async def test_a_desk_that_leaves_meanwhile_leaves_nothing_behind(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    shift = await ending(world, node)
    await world.until_done(node.desk.leave(1.0))

    with refusing(node, *QUESTIONS, *ORDERS):  # whoever asks now hears this, and would write it
        await world.run(60.0)

    assert shift.record.is_lost
    assert ["DeskKeyRefused", "halted"] == await said(world)
    assert HealthState.STARTING == node.desk.health().state


async def test_a_journal_that_fails_meanwhile_ends_in_cancels_only(world: World, tmp_path: Path) -> None:
    node = world.node(
        "Buyer",
        {"px": "1.0900", "cancel_at_bid": "1.2000"},
        notes=Disk(world, tmp_path).notes("a-1"),
        resume_when_key_works=True,
        emergency_cancel_after_s=1.0,
    )
    await world.start(node)
    await world.quote("1.1000")
    with refusing(node, *QUESTIONS):
        await world.run(3.0)
    world.fault("cancel", Effect.LOST)
    await world.quote("1.2000")
    await ending(world, node)
    node.store.fails_with = FULL  # what becomes of the cancel cannot be written
    await world.run(3.0)
    assert [] == at_venue(world)
    assert "cancels only, 1 orders so far" in node.desk.health().reason

    node.store.fails_with = None
    await world.run(3.0)

    assert ("normal", HealthState.HEALTHY) == (node.desk.mode, node.desk.health().state)
    assert ["canceled"] == await world.order_states()


async def test_a_venue_that_is_away_meanwhile_is_no_failure_of_the_desk(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    await ending(world, node)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node.broker, "balances", raising(NoAnswer("no answer")))
        await world.run(3.0)
        health = node.desk.health()
        assert (HealthState.STARTING, True) == (health.state, node.desk.is_held_up)
        assert "its venue sim does not answer" in health.reason
    await world.run(3.0)

    assert ("normal", False) == (node.desk.mode, node.desk.is_held_up)
    assert HealthState.HEALTHY == node.desk.health().state


async def test_a_bug_meanwhile_is_told_and_tried_again(world: World) -> None:
    node = await trading(world, resumes=True)
    with refusing(node, *QUESTIONS, *ORDERS):
        await world.run(3.0)
    await ending(world, node)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node.broker, "balances", raising(KeyError("free")))
        await world.run(3.0)
        health = node.desk.health()
        assert (HealthState.UNHEALTHY, "desk.down") == (health.state, health.failure)
    await world.run(3.0)

    assert ("normal", HealthState.HEALTHY) == (node.desk.mode, node.desk.health().state)
