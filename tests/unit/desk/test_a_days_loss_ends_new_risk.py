"""At the day's loss limit a desk only reduces: a fact, so it outlives the node, until a new day or a named person."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import Side, TradeReport
from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.mode_requests import mode_requested
from trading_orchestrator.trading.permit_facts import LossLimitLifted, LossLimitReached, TradingDayBegan
from trading_orchestrator.trading.positions.position import Position, book_trade
from trading_orchestrator.trading.risk.daily_loss import loss_asset, profit_of, trading_day
from trading_orchestrator.trading.risk.limits import RiskLimits

LIMITED = {"max_daily_loss": "5", "max_orders_per_s": 1000}
DAY_NS = 86_400 * 1_000_000_000
QUICK_S = 0.4


async def start(world: World, turns: str, succession: Succession = Succession.FIRST, **risk: Any) -> Node:
    return await world.start(world.node("Turner", {"turns": turns, "qty": "100"}, risk=LIMITED | risk), succession)


async def lose(world: World) -> None:
    """Buy 100 at 1.1001 and let the price fall by a tenth: 10 lost, unrealized."""
    await world.quote("1.1000")
    await world.run(QUICK_S)
    await world.quote("1.0000")
    await world.run(QUICK_S)


async def mode(world: World) -> str:
    return str((await world.rows("desks"))[0]["mode"])


async def test_an_unrealized_loss_at_the_limit_lets_the_desk_only_reduce(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "bbs")
        await lose(world)
        await world.quote("1.0000")
        await world.run(QUICK_S)

        assert ["filled", "rejected", "filled"] == await world.order_states()
        (reached,) = await world.facts("loss_limit.reached")
        assert isinstance(reached, LossLimitReached)
        assert (Decimal(5), "USDT") == (reached.limit, reached.asset)
        assert 100 * (Decimal("1.1001") - Decimal("1.00005")) + Decimal("0.11001") == reached.loss
        assert "reduce only" in node.desk.health().reason


async def test_what_rests_is_canceled_at_the_limit(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = world.node("Turner", {"turns": "bB", "qty": "100"}, risk=LIMITED)
        await world.start(node)
        await world.quote("1.1200")
        await world.quote("1.1200")
        await world.run(QUICK_S)
        assert ["filled", "new"] == await world.order_states()

        await world.quote("1.0905")
        await world.run(QUICK_S)
        assert "loss_limit.reached" not in await world.kinds()
        await world.quote("1.0901")
        await world.quote("1.0400", "1.0950")
        await world.run(QUICK_S)

        assert ["filled", "canceled"] == await world.order_states()
        assert [] == world.venue.open_orders([SYMBOL])


async def test_the_limit_holds_over_a_takeover(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "b")
        await lose(world)
        first.crash()
        await start(world, "bb", Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(QUICK_S)

        assert "reduce_only" == await mode(world)
        assert ["filled", "rejected"] == await world.order_states()
        assert 1 == (await world.kinds()).count("loss_limit.reached")


async def test_a_new_day_lifts_it_and_counts_from_where_it_begins(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b")
        await lose(world)
        world.clock.step_wall(DAY_NS - world.clock.wall_ns() % DAY_NS + 1)
        await world.quote("1.0000")
        await world.run(QUICK_S)

        assert "normal" == await mode(world)
        (lifted,) = await world.facts("loss_limit.lifted")
        assert isinstance(lifted, LossLimitLifted)
        assert ("desk", "a new day began") == (lifted.by, lifted.reason)
        first, second = await world.facts("trading_day.began")
        assert isinstance(first, TradingDayBegan)
        assert isinstance(second, TradingDayBegan)
        assert first.day < second.day
        assert second.profit < first.profit - 5


async def test_a_named_person_grants_the_limit_once_more(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "bbb")
        await lose(world)
        request = mode_requested("paper", "normal", by="Ada", reason="a known loss")
        await world.store.append([request], node="operator", fence=None)
        await world.run(QUICK_S)
        await world.quote("1.0000")
        await world.run(QUICK_S)
        assert "normal" == await mode(world)
        assert ["filled", "rejected", "filled"] == await world.order_states()

        await world.quote("0.9500")
        await world.run(QUICK_S)
        assert "reduce_only" == await mode(world)
        assert 2 == (await world.kinds()).count("loss_limit.reached")


async def test_without_a_limit_no_day_is_counted(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b", max_daily_loss=None)
        await lose(world)

        assert "trading_day.began" not in await world.kinds()
        assert "normal" == await mode(world)


def test_the_day_begins_at_its_hour() -> None:
    evening_ns = 1_795_379_400 * 1_000_000_000  # 2026-11-22 20:30 UTC

    assert "2026-11-22" == trading_day(evening_ns, 0)
    assert "2026-11-21" == trading_day(evening_ns, 21)


def test_profit_is_cash_and_what_is_held_at_its_price_less_fees_of_every_asset() -> None:
    position = Position(SYMBOL)
    for trade_id, fee, fee_asset in (("1", "1", "USDT"), ("2", "2", "EUR"), ("3", "3", "BNB"), ("4", "4", "DUST")):
        trade = TradeReport(SYMBOL, trade_id, "v", "c", Side.BUY, Decimal(10), Decimal(2), Decimal(fee), fee_asset, 0)
        position = book_trade(position, trade)
    marks = {SYMBOL: Decimal(3), "BNB/USDT": Decimal(5)}

    assert -80 - 1 + (40 - 2) * 3 - 3 * 5 == profit_of([position], "USDT", marks.get)
    assert None is profit_of([position], "USDT", lambda _: None)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_daily_loss": "0"}, "above 0"),
        ({"max_daily_loss": "-3"}, "above 0"),
        ({"day_begins_h": 24}, "<= 23"),
        ({"max_dayly_loss": "3"}, "max_daily_loss"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigRefused, match=said):
        build(RiskLimits, values, source="test")


def test_a_limit_over_symbols_of_different_money_is_refused_and_none_is_fine() -> None:
    symbols = ["BTC/USDT", "BTC/EUR"]
    with pytest.raises(ConfigRefused, match="quoted in one asset, was EUR, USDT"):
        loss_asset(symbols, RiskLimits(max_daily_loss=Decimal(3)), source="desk x")

    assert "EUR" == loss_asset(symbols, RiskLimits(), source="desk x")
