"""The kill switch and the day's loss cancel an order in doubt though no question about it is answered (F7, §7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.desk.world import GRACE_S, SYMBOL, TIMEOUT_S, VALIDITY_S, Node, World
from trading_orchestrator.brokers.port import OrderNotFound
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.trading.facts import NotFoundCounted
from trading_orchestrator.trading.mode_requests import mode_requested

QUESTIONS = ("order", "open_orders", "trades", "balances")
FOR_LONG = 100_000


async def in_doubt(world: World, effect: Effect = Effect.NO_ANSWER, **desk: Any) -> Node:
    """Send one order, taken by the venue unless the effect says otherwise; no frame and no question tells of it."""
    node = await world.start(world.node("Buyer", {"orders": 1, "px": "1.0500"}, compare_s=1.0, **desk))
    world.fault("submit", effect)
    world.fault("report", Effect.DROPPED, times=FOR_LONG)
    for question in QUESTIONS:
        world.fault(question, Effect.LOST, times=FOR_LONG)
    await world.quote("1.1000")
    await world.run(0.5)
    assert ["unknown"] == await world.order_states()
    return node


def cancels_of(node: Node, world: World) -> list[float]:
    """Return where the times at which cancels leave will stand, in seconds."""
    sent, cancel = [], node.broker.cancel

    async def noted(symbol: str, cl_ord_id: str) -> Any:
        sent.append(world.clock.monotonic_ns() / 1e9)
        return await cancel(symbol, cl_ord_id)

    node.broker.cancel = noted  # type: ignore[method-assign]
    return sent


async def kill(world: World) -> None:
    await world.store.append([mode_requested("paper", "killed", by="ops", reason="enough")], node="ops", fence=None)


async def test_the_kill_switch_cancels_an_order_that_no_question_finds(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await in_doubt(world)
        sent, doubted_s = cancels_of(node, world), world.clock.monotonic_ns() / 1e9

        await kill(world)
        await world.run(3)

        assert ["canceled"] == await world.order_states()
        assert [] == world.venue.open_orders([SYMBOL])
        assert doubted_s + max(VALIDITY_S, TIMEOUT_S) - 0.5 <= sent[0], "the order itself might still be on its way"


async def test_it_does_so_at_once_though_the_next_question_is_far_off(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await in_doubt(world, quarantine_s=5.0)
        await world.run(60)
        assert ["quarantined"] == await world.order_states()

        await kill(world)
        await world.run(1)

        assert ["canceled"] == await world.order_states()


async def test_a_cancel_that_finds_nothing_concludes_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await in_doubt(world, Effect.LOST)
        sent = cancels_of(node, world)

        await kill(world)
        await world.run(10)

        assert ["unknown"] == await world.order_states()
        kinds = await world.kinds()
        assert 1 == kinds.count("cancel.intended"), "one decision, asked for again and again"
        assert "cancel.refused" not in kinds
        assert "desk.kill_verified" not in kinds
        assert 1 < len(sent) < 12

        world.faults.clear()
        await world.run(GRACE_S + VALIDITY_S + 5)
        assert ["abandoned"] == await world.order_states()
        assert "desk.kill_verified" in await world.kinds()


async def test_it_is_canceled_while_the_venue_says_that_it_has_no_such_order(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await in_doubt(world)
        world.faults.clear()
        world.fault("report", Effect.DROPPED, times=FOR_LONG)
        world.fault("open_orders", Effect.LOST, times=FOR_LONG)

        async def forgetful(symbol: str, cl_ord_id: str) -> Any:
            raise OrderNotFound("-2013", venue_code="-2013", text="Order does not exist.")

        node.broker.order = forgetful  # type: ignore[method-assign]
        await kill(world)
        await world.run(VALIDITY_S + 1)

        assert ["canceled"] == await world.order_states()


async def test_the_days_loss_cancels_it_too(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        turns = {"turns": "bB"}
        node = await world.start(world.node("Turner", turns, risk={"max_orders_per_s": 1000, "max_daily_loss": "0.05"}))
        await world.quote("1.1000")
        await world.run(0.5)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=FOR_LONG)
        for question in QUESTIONS:
            world.fault(question, Effect.LOST, times=FOR_LONG)
        await world.quote("1.1000")
        await world.run(0.5)
        assert ["filled", "unknown"] == await world.order_states()
        assert 1 == len(world.venue.open_orders([SYMBOL]))

        await world.quote("1.0910")
        await world.run(3)

        assert node.desk.health().reason.startswith("the desk is reduce only")
        assert ["filled", "canceled"] == await world.order_states()


async def test_nobody_elses_cancel_leaves_for_an_order_that_may_not_exist(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1, "px": "1.0500", "cancel_at_bid": "1.2000"}))
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=FOR_LONG)
        for question in QUESTIONS:
            world.fault(question, Effect.LOST, times=FOR_LONG)
        await world.quote("1.1000")
        await world.run(0.5)
        sent = cancels_of(node, world)

        await world.quote("1.2000")
        await world.run(10)

        assert [] == sent
        assert ["unknown"] == await world.order_states()


async def test_a_not_found_counts_from_its_answer_and_not_from_the_cancel_after_it(tmp_path: Path) -> None:
    """R4 wants one from after the last moment at which the order can arrive. Found by simulation, seed 143."""
    async with await World.open(tmp_path) as world:
        node = await in_doubt(world, Effect.LOST)
        world.faults.clear()
        world.fault("report", Effect.DROPPED, times=FOR_LONG)
        world.fault("cancel", Effect.NO_ANSWER, times=FOR_LONG)
        told_s: list[float] = []

        async def not_found(symbol: str, cl_ord_id: str) -> Any:
            told_s.append(world.clock.monotonic_ns() / 1e9)
            raise OrderNotFound("-2013", venue_code="-2013", text=f"{symbol} {cl_ord_id}")

        node.broker.order = not_found  # type: ignore[method-assign]
        await kill(world)
        await world.run(10)

        counted_s = [
            fact.after_s for fact in await world.facts("not_found.counted") if isinstance(fact, NotFoundCounted)
        ]
        assert 3 <= len(counted_s) <= len(told_s)
        assert [round(each - told_s[0], 3) for each in told_s[: len(counted_s)]] == [
            round(each - counted_s[0], 3) for each in counted_s
        ]
