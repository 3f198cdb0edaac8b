"""A bar is aligned, handed out once when it has ended, and never changes afterwards."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.market.bars import BarBuilder
from trading_orchestrator.market.port import Bar, Trade

S = 1_000_000_000
MINUTE = 60 * S


def trade(at_s: float, px: str = "1", qty: str = "1", symbol: str = "A/B") -> Trade:
    return Trade(symbol, "1", Decimal(px), Decimal(qty), round(at_s * S), 0)


def bar(open_s: int, prices: str, volume: str) -> Bar:
    first, high, low, last = (Decimal(px) for px in prices.split())
    return Bar("A/B", open_s * S, open_s * S + MINUTE, first, high, low, last, Decimal(volume))


@pytest.fixture
def builder() -> BarBuilder:
    return BarBuilder("A/B", 60)


def test_the_first_trade_past_the_end_closes_the_bar(builder: BarBuilder) -> None:
    during = [builder.on_trade(trade(at, px, "0.5")) for at, px in ((61, "3"), (70, "5"), (90, "2"), (119.9, "4"))]

    assert [(), (), (), ()] == during
    assert (bar(60, "3 5 2 4", "2.0"),) == builder.on_trade(trade(120, "9"))
    assert (bar(120, "9 9 9 9", "1"),) == builder.on_time(180 * S)


def test_a_tick_closes_the_bar_of_a_quiet_market_once(builder: BarBuilder) -> None:
    builder.on_trade(trade(61))

    assert [(), (bar(60, "1 1 1 1", "1"),), ()] == [builder.on_time(at * S) for at in (119, 120, 121)]


def test_a_span_without_trades_makes_no_bar(builder: BarBuilder) -> None:
    builder.on_trade(trade(1))

    assert (bar(0, "1 1 1 1", "1"),) == builder.on_trade(trade(3601))
    assert (bar(3600, "1 1 1 1", "1"),) == builder.on_time(3660 * S)


def test_a_late_trade_changes_no_closed_bar_and_is_counted(builder: BarBuilder) -> None:
    builder.on_trade(trade(61))
    builder.on_time(120 * S)

    assert () == builder.on_trade(trade(119, "100"))
    assert () == builder.on_trade(trade(121))
    assert () == builder.on_trade(trade(59, "100"))
    assert (2, (bar(120, "1 1 1 1", "1"),)) == (builder.late, builder.on_time(180 * S))


def test_another_symbols_trade_is_refused(builder: BarBuilder) -> None:
    with pytest.raises(Refused, match="expected a trade of A/B, was C/D"):
        builder.on_trade(trade(1, symbol="C/D"))


def test_a_length_that_is_not_positive_is_refused() -> None:
    with pytest.raises(Refused, match="length_s"):
        BarBuilder("A/B", 0)
