"""Rules R1 to R4: one ambiguous answer makes an order UNKNOWN; asking resolves it, and it is never sent again."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import GRACE_S, TIMEOUT_S, VALIDITY_S, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.facts import NotFoundCounted, OrderAbandoned

PROOF_COMPLETE_S = VALIDITY_S + GRACE_S


async def buy(world: World, **params: object) -> Node:
    node = await world.start(world.node("Buyer", params))
    await world.quote("1.1000")
    return node


def mute_stream(world: World) -> None:
    world.fault("report", Effect.DROPPED, times=1000)


async def test_a_ghost_order_is_unknown_then_adopted(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer"))
        mute_stream(world)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("order", Effect.LOST, times=2)
        world.fault("trades", Effect.LOST, times=10)
        await world.quote("1.1000")

        await world.run(TIMEOUT_S + 0.1)
        assert await world.order_states() == ["unknown"]

        await world.run(10.0)
        assert await world.order_states() == ["filled"]
        assert await world.position_qty() == world.venue_position_qty()
        assert len(world.submits) == 1


async def test_the_stream_may_tell_what_the_answer_did_not(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.NO_ANSWER)
        await buy(world)

        await world.run(TIMEOUT_S + 0.5)

        assert await world.order_states() == ["filled"]
        assert "order.doubted" not in await world.kinds()


async def test_a_lost_order_is_abandoned_only_when_the_proof_is_complete(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        await buy(world)

        await world.run(TIMEOUT_S + PROOF_COMPLETE_S - 0.1)
        assert await world.order_states() == ["unknown"]

        await world.run(4.0)
        assert await world.order_states() == ["abandoned"]
        proofs = [fact.proof for fact in await world.facts("order.abandoned") if isinstance(fact, OrderAbandoned)]
        assert len(proofs) == 1
        assert sum(line.startswith("order query: not found") for line in proofs[0]) >= 3
        assert proofs[0][-2:] == ["trades since the cursor: none carries the id", "balances: explained"]
        assert len(world.submits) == 1


async def test_the_exposure_of_an_unknown_order_stays_reserved(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        node = await world.start(world.node("Buyer", {"orders": 2}, risk={"max_position_qty": "15"}))
        await world.quote("1.1000")
        await world.run(TIMEOUT_S + 0.5)
        await world.quote("1.1001")
        await world.run(0.5)
        assert await world.order_states() == ["unknown", "rejected"]

        await world.run(8.0)
        await world.quote("1.1002")
        await world.run(0.5)

        assert sorted(await world.order_states()) == ["abandoned", "filled", "rejected"]
        assert node.desk.health().state.value == "healthy"


async def test_a_late_arrival_is_adopted_not_abandoned(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"px": "1.0900"}, poll_orders_s=30.0))
        mute_stream(world)
        world.fault("submit", Effect.LATE, delay_s=0.9)
        await world.quote("1.1000")

        await world.run(0.5)
        assert await world.order_states() == ["unknown"]
        await world.run(12.0)

        assert await world.order_states() == ["new"]
        assert "order.abandoned" not in await world.kinds()


async def test_failed_questions_prove_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        world.fault("order", Effect.LOST, times=1000)
        await buy(world)

        await world.run(20.0)
        assert await world.order_states() == ["unknown"]

        world.faults.clear()
        await world.run(10.0)
        assert await world.order_states() == ["abandoned"]


async def test_an_unexplained_balance_forbids_the_proof(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer"))
        world.fault("submit", Effect.LOST)
        world.fault("balances", Effect.LOST, times=1000)
        await world.quote("1.1000")
        await world.run(15.0)

        assert await world.order_states() == ["unknown"]


async def test_a_predecessors_lost_order_is_abandoned_counting_from_the_takeover(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        node = await buy(world)
        await world.run(0.1)
        node.crash()

        await world.start(world.node("Buyer"), Succession.PROVED_DEATH)
        assert await world.order_states() == ["unknown"]
        await world.run(PROOF_COMPLETE_S - 0.1)
        assert await world.order_states() == ["unknown"]

        await world.run(4.0)
        assert await world.order_states() == ["abandoned"]
        assert len(world.submits) == 1


async def test_the_strategy_hears_that_an_order_was_abandoned(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        node = await buy(world)
        await world.run(10.0)

        await world.until_done(node.desk.leave(1.0))
        saved = (await world.facts("strategy.saved"))[-1]
        assert b'"heard":["unknown","abandoned"]' in bytes(saved.state)  # type: ignore[attr-defined]


async def test_a_cancel_without_an_answer_is_asked_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world, px="1.0900", cancel_at_bid="1.2000")
        mute_stream(world)
        world.fault("cancel", Effect.LOST)

        await world.quote("1.2000")
        await world.run(5.0)

        assert await world.order_states() == ["canceled"]
        assert (await world.kinds()).count("cancel.intended") == 1


async def test_a_cancels_ok_is_not_the_end_of_its_order(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world, px="1.0900", cancel_at_bid="1.2000")
        world.fault("cancel", Effect.HOLLOW, times=2)

        await world.quote("1.2000")
        await world.run(0.1)
        assert await world.order_states() == ["new"]
        assert [fact.reason for fact in await world.facts("cancel.doubted")] == ["the venue's OK left the order new"]  # type: ignore[attr-defined]
        await world.run(5.0)

        assert await world.order_states() == ["canceled"]
        assert (await world.kinds()).count("cancel.intended") == 1


async def test_a_cancel_waits_for_its_orders_answer(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Hasty", {"px": "1.0900"}))
        await world.quote("1.1000")
        await world.run(0.2)

        assert await world.order_states() == ["canceled"]
        assert "cancel.doubted" not in await world.kinds()


async def test_a_cancel_that_comes_too_late_finds_the_fill(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world, px="1.0900", cancel_at_bid="1.0800")
        mute_stream(world)

        await world.quote("1.0800")
        await world.run(5.0)

        assert await world.order_states() == ["filled"]
        assert await world.position_qty() == world.venue_position_qty()


async def test_the_truth_is_known_within_two_seconds_of_the_venues_recovery(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer"))
        mute_stream(world)
        world.fault("submit", Effect.NO_ANSWER)
        for question in ("order", "trades", "open_orders", "balances"):
            world.fault(question, Effect.LOST, times=1000)
        await world.quote("1.1000")
        await world.run(30.0)
        assert await world.order_states() == ["unknown"]

        world.faults.clear()
        await world.run(2.0)
        assert await world.order_states() == ["filled"]


async def test_an_unanswered_order_is_in_doubt_when_the_desk_has_left(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer"))
        mute_stream(world)
        world.fault("submit", Effect.NO_ANSWER)
        await world.quote("1.1000")

        await world.until_done(node.desk.leave(0.1))
        assert await world.order_states() == ["unknown"]

        await world.start(world.node("Buyer"), Succession.HANDED_OVER)
        await world.run(1.0)
        assert await world.order_states() == ["filled"]


async def test_a_doubt_handed_from_shift_to_shift_still_ends(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        node = await buy(world)
        for _ in range(3):  # each shift is shorter than a proof that began with it anew would take
            await world.run(PROOF_COMPLETE_S - 0.5)
            node.crash()
            node = await world.start(world.node("Buyer"), Succession.PROVED_DEATH)

        assert await world.order_states() == ["abandoned"]


async def test_the_story_counts_how_often_the_venue_did_not_know_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("submit", Effect.LOST)
        node = world.node("Buyer", grace_s=400.0, quarantine_s=500.0, ask_longest_s=1.0)
        await world.start(node)
        await world.quote("1.1000")
        await world.run(60.0)

        counts = [fact.count for fact in await world.facts("not_found.counted") if isinstance(fact, NotFoundCounted)]
        assert [*range(1, 13), 16, 32] == counts[:14]
        (row,) = await world.rows("orders")
        story = await explain(world.store, row["cl_ord_id"])
        assert f"So far the venue was asked {counts[-1]} times and did not know it." in story.standing
        told = next(line.sentence for line in story.lines if line.kind == "not_found.counted")
        assert told.startswith("asked for, and the venue does not know it (once so far, ")
