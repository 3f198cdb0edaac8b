"""Bars are aligned, in order, and hold each punctual trade once, whatever is traded when."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.market.bars import BarBuilder
from trading_orchestrator.market.port import Bar, Trade

LENGTH_NS = 60_000_000_000

trades = st.builds(
    lambda at_ns, px, qty: Trade("A/B", "1", Decimal(px), Decimal(qty), at_ns, 0),
    st.integers(0, 20 * LENGTH_NS),
    st.integers(1, 1000),
    st.integers(1, 100),
)
ticks = st.integers(0, 20 * LENGTH_NS)


def play(said: list[Trade | int]) -> tuple[list[Bar], BarBuilder]:
    builder = BarBuilder("A/B", 60)
    bars: list[Bar] = []
    for each in [*said, 21 * LENGTH_NS]:
        bars += builder.on_trade(each) if isinstance(each, Trade) else builder.on_time(each)
    return bars, builder


@given(st.lists(trades | ticks))
def test_bars_are_aligned_and_rise_without_overlap(said: list[Trade | int]) -> None:
    bars, _ = play(said)

    assert all(bar.open_ns % LENGTH_NS == 0 and bar.close_ns - bar.open_ns == LENGTH_NS for bar in bars)
    assert all(before.close_ns <= after.open_ns for before, after in zip(bars, bars[1:], strict=False))
    assert all(
        bar.low_px <= min(bar.open_px, bar.close_px) <= max(bar.open_px, bar.close_px) <= bar.high_px for bar in bars
    )


@given(st.lists(trades))
def test_trades_in_order_of_time_are_all_in_their_bars(said: list[Trade]) -> None:
    said = sorted(said, key=lambda trade: trade.at_ns)
    bars, builder = play(list(said))

    for bar in bars:
        inside = [trade for trade in said if bar.open_ns <= trade.at_ns < bar.close_ns]
        prices = [trade.px for trade in inside]
        expected = (prices[0], max(prices), min(prices), prices[-1], sum(trade.qty for trade in inside))
        assert expected == (bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume_qty)
    assert (0, sum(trade.qty for trade in said)) == (builder.late, sum(bar.volume_qty for bar in bars))


@given(st.lists(trades | ticks))
def test_no_trade_is_in_two_bars_and_the_late_ones_are_counted(said: list[Trade | int]) -> None:
    ones = [Trade("A/B", "1", each.px, Decimal(1), each.at_ns, 0) if isinstance(each, Trade) else each for each in said]
    bars, builder = play(ones)

    given_trades = sum(isinstance(each, Trade) for each in ones)
    assert given_trades == builder.late + sum(bar.volume_qty for bar in bars)
