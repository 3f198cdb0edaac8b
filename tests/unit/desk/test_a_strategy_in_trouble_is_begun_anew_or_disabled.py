"""A strategy that crashed or is stuck begins anew from its saved state; what does not help disables it for a person."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.leases import holder_of
from tests.unit.desk.strategies import Moody
from tests.unit.desk.world import LEASE, Node, TestSeat, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import StorageUnavailable
from trading_orchestrator.trading.facts import DeskModeChanged, StrategyDisabled, StrategySaved
from trading_orchestrator.trading.mode_requests import mode_requested
from trading_orchestrator.trading.staff import CallbackUnderWay
from trading_orchestrator.trading.strategies.progress import Progress

WELL = (HealthState.HEALTHY, "")
CRASHED = (HealthState.UNHEALTHY, "strategy.crashed")
STUCK = (HealthState.UNHEALTHY, "strategy.stuck")
BAD = "1.2000"


def said(node: Node) -> tuple[HealthState, str]:
    health = node.desk.strategy_health("s")
    return health.state, health.failure


async def crash(world: World, **params: Any) -> Node:
    """Return a node whose strategy bought once, and then raised."""
    node = await world.start(world.node("Moody", {"fails_at": BAD, **params}))
    await world.quote("1.1000")
    await world.run(0.5)
    await world.quote(BAD)
    await world.run(0.5)
    return node


async def filled_qty(world: World) -> str:
    """Return what the strategy itself says it bought, as it was saved last."""
    last = (await world.facts("strategy.saved"))[-1]
    assert isinstance(last, StrategySaved)
    return bytes(last.state).decode().partition('"filled_qty":"')[2].partition('"')[0]


async def test_a_crash_is_the_strategys_own_failure_and_its_desk_is_only_degraded(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await crash(world)

        desk = node.desk.health()
        assert CRASHED == said(node)
        assert (HealthState.DEGRADED, "") == (desk.state, desk.failure)
        assert "strategy s: ZeroDivisionError: in a bad mood" == desk.reason


async def test_it_begins_anew_with_what_it_saved_and_trades_on(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await crash(world)

        await world.until_done(node.desk.restart_strategy("s", "it crashed"))
        await world.quote("1.1001")
        await world.run(0.5)

        assert WELL == said(node)
        assert 2 == len(await world.facts("order.intended"))  # the second of two, so it knows of the first
        assert "20" == await filled_qty(world)
        assert 1 == len(await world.facts("strategy.restarted"))


async def test_a_fill_that_came_while_it_was_down_is_given_to_it_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("cancel", Effect.LOST, times=100)
        node = await crash(world, px="1.0900")
        await world.quote("1.0800", qty=4)
        await world.run(1.5)
        assert "0" == await filled_qty(world)
        world.faults.clear()

        await world.until_done(node.desk.restart_strategy("s", "it crashed"))
        await world.run(0.5)

        assert "4" == await filled_qty(world)
        assert await world.position_qty() == 4


async def test_what_it_was_not_given_before_a_handover_its_successor_gets(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("cancel", Effect.LOST, times=100)
        node = await crash(world, px="1.0900")
        await world.quote("1.0800", qty=4)
        await world.run(1.5)
        world.faults.clear()
        await world.until_done(node.desk.leave(1.0))
        heir = world.node("Moody", {"px": "1.0900"})
        await world.warm(heir)

        await world.take(heir, Succession.HANDED_OVER)
        await world.run(0.5)

        assert "4" == await filled_qty(world)


async def test_one_that_cannot_come_back_stays_out_and_leaves_no_order_behind(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"px": "1.0900", "orders": 1}))
        await world.quote("1.1000")
        await world.run(0.5)

        async def fails(**_: Any) -> None:
            raise StorageUnavailable("the disk is away")

        node.store.read_before = fails  # type: ignore[attr-defined]
        with pytest.raises(StorageUnavailable):
            await world.until_done(node.desk.restart_strategy("s", "it is stuck"))
        await world.run(0.5)

        assert CRASHED == said(node)
        assert ["canceled"] == await world.order_states()

        del node.store.read_before
        await world.until_done(node.desk.restart_strategy("s", "again"))
        assert WELL == said(node)


async def test_a_restart_that_is_given_up_is_no_end_of_watching(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"px": "1.0900", "orders": 1}))
        await world.quote("1.1000")
        await world.run(0.5)
        node.store.read_before = lambda **_: world.clock.sleep(60.0)  # type: ignore[attr-defined]

        restarting = asyncio.create_task(node.desk.restart_strategy("s", "it is stuck"))
        await world.run(0.1)
        restarting.cancel()
        await world.run(0.5)

        assert CRASHED == said(node)
        assert ["canceled"] == await world.order_states()


async def test_what_takes_the_place_of_an_order_waits_until_it_is_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Mover", {"at_bid": BAD, "to_px": "1.1500"}))
        await world.quote("1.1000")
        await world.run(0.5)
        world.fault("cancel", Effect.LATE, delay_s=0.1)
        await world.quote(BAD)
        read = node.store.read_before

        async def slowly(**which: Any) -> Any:
            await world.clock.sleep(1.0)
            return await read(**which)

        node.store.read_before = slowly  # type: ignore[attr-defined]
        await world.until_done(node.desk.restart_strategy("s", "it is stuck"))
        await world.run(1.0)

        assert ["canceled", "new"] == await world.order_states()
        assert [] == await world.facts("replacement.dropped")


async def test_a_disabled_one_stays_out_over_takeovers_until_a_human_says_normal(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await crash(world)
        node.desk.disable_strategy("s", "strategy.crashed", "it crashed 4 times", reduce_only=False)
        await world.run(0.3)
        assert CRASHED == said(node)
        with pytest.raises(Refused, match="s stays out: it is disabled: it crashed 4 times"):
            await world.until_done(node.desk.restart_strategy("s", "again"))

        node.crash()
        heir = world.node("Moody")
        await world.warm(heir)
        await world.take(heir, Succession.PROVED_DEATH)
        await world.quote("1.1002")
        await world.run(0.3)
        assert CRASHED == said(heir)
        assert 1 == len(await world.facts("order.intended"))

        lifted = mode_requested("paper", "normal", by="ops", reason="it is mended")
        await world.store.append([lifted], node="ops", fence=None)
        await world.run(0.5)
        await world.until_done(heir.desk.restart_strategy("s", "it is mended"))
        await world.quote("1.1003")
        await world.run(0.3)
        assert WELL == said(heir)
        assert 2 == len(await world.facts("order.intended"))


async def test_disabling_cancels_what_it_left_open_and_lets_the_desk_only_reduce(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"px": "1.0900", "orders": 1}))
        await world.quote("1.1000")
        await world.run(0.5)

        node.desk.disable_strategy("s", "strategy.stuck", "it is stuck", reduce_only=True)
        await world.run(0.5)

        assert ["canceled"] == await world.order_states()
        (disabled, change) = await world.facts("strategy.disabled", "desk.mode_changed")
        assert isinstance(disabled, StrategyDisabled)
        assert isinstance(change, DeskModeChanged)
        assert ("strategy.stuck", "reduce_only", "desk") == (disabled.failure, change.mode, change.by)


async def test_a_callback_that_does_not_return_although_the_loop_turns_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = [True]
    monkeypatch.setattr(Moody, "turn_on", going)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"turns_at": BAD, "orders": 3}))
        await world.quote("1.1000")
        await world.quote(BAD)
        await world.run(4.0)
        assert WELL == said(node)

        await world.quote("1.1001")
        await world.run(2.0)
        assert STUCK == said(node)
        assert "its callback has not returned for 6 s although something is due" == (
            node.desk.strategy_health("s").reason
        )
        with pytest.raises(CallbackUnderWay):
            await world.until_done(node.desk.restart_strategy("s", "it is stuck"))

        going.clear()
        await world.run(0.5)
        assert WELL == said(node)
        assert 3 == len(await world.facts("order.intended"))  # the quote that came meanwhile was kept for it


async def test_however_much_came_meanwhile_is_given_to_it_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    going = [True]
    monkeypatch.setattr(Moody, "turn_on", going)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"turns_at": BAD, "timer_s": 0.01}))
        await world.quote(BAD)
        await world.run(11.0)

        going.clear()
        await world.run(0.02)

        assert WELL == said(node)
        assert [] == [each.getMessage() for each in caplog.records if "stream ended" in each.getMessage()]


async def test_a_fill_that_waits_for_the_end_of_a_callback_is_not_saved_as_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = [True]
    monkeypatch.setattr(Moody, "turn_on", going)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"turns_at": BAD, "px": "1.0900", "orders": 2}))
        await world.quote("1.1000")
        await world.run(0.5)
        await world.quote(BAD)
        await world.quote("1.0800", qty=4)
        await world.run(1.0)
        going.clear()
        await world.run(0.1)
        node.crash()
        heir = world.node("Moody", {"px": "1.0900", "orders": 0})
        await world.warm(heir)

        await world.take(heir, Succession.PROVED_DEATH)
        await world.run(1.0)

        assert "4" == await filled_qty(world)


async def test_a_callback_that_returns_after_it_was_disabled_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = [True]
    monkeypatch.setattr(Moody, "turn_on", going)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"turns_at": BAD}))
        await world.quote(BAD)
        node.desk.disable_strategy("s", "strategy.stuck", "it is stuck", reduce_only=False)
        going.clear()
        await world.run(0.5)

        assert [] == world.submits
        assert [] == await world.facts("order.intended")


async def test_what_a_callback_decided_before_it_was_disabled_is_not_sent_once_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancel finds no order at the venue; that proves nothing if the order could still leave."""
    going = [True]
    monkeypatch.setattr(Moody, "turn_on", going)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Moody", {"ends_at": BAD, "px": "1.0900"}))
        await world.quote(BAD)
        node.desk.disable_strategy("s", "strategy.stuck", "it is stuck", reduce_only=True)
        await world.run(10.0)
        going.clear()
        await world.run(10.0)

        assert [] == world.submits
        assert ["abandoned"] == await world.order_states()


async def test_a_timer_that_is_heard_of_is_progress_and_a_quiet_market_no_lack_of_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Ticking"))
        await world.run(8.0)

        assert WELL == said(node)


def test_a_tick_that_does_not_come_is_due() -> None:
    progress = Progress()
    progress.expect_tick(10**9, 1.0)

    assert (0.0, 6.0) == (progress.waits_s(2 * 10**9), progress.waits_s(8 * 10**9))


async def test_who_kept_the_node_before_is_watched_under_a_name_of_its_own(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        heir = world.node("Moody")
        await world.warm(heir)
        dead = await holder_of(world.store, LEASE)
        row = await world.store.claim_lease(LEASE, holder="n", ttl_s=3.0, dead_holder=dead)
        heir.seat = TestSeat(row.epoch, Succession.PROVED_DEATH)
        heir.seat.hung_in = "s"
        await world.until_done(heir.desk.take(heir.seat))
        assert (HealthState.UNHEALTHY, "strategy.looping") == said(heir)

        await world.run(10.5)

        assert WELL == said(heir)
