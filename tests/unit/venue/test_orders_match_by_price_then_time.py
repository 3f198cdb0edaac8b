"""Matching: the best price first, then the oldest, as much as there is, never with one's own orders."""

import pytest

from tests.unit.venue.conftest import Bench
from trading_orchestrator.practice_venue.refusals import VenueRefusal


def test_a_market_order_walks_the_levels_from_the_best(bench: Bench) -> None:
    bench.quotes([], [("10.01", "5"), ("10.02", "7"), ("10.03", "9")])

    order = bench.place("alice", "BUY", "15")

    assert [("10.01", "5"), ("10.02", "7"), ("10.03", "3")] == bench.fills(order)
    assert "FILLED" == order.status


def test_a_limit_order_takes_up_to_its_price_and_rests_with_the_remainder(bench: Bench) -> None:
    bench.quotes([], [("10.01", "5"), ("10.02", "7")])

    order = bench.place("alice", "BUY", "8", "10.01")

    assert [("10.01", "5")] == bench.fills(order)
    assert ("PARTIALLY_FILLED", True) == (order.status, order.is_open)
    assert ("10.01", "3") == (str(bench.market.quote().bid), str(bench.market.quote().bid_qty))


def test_the_older_of_two_orders_at_a_price_is_filled_first(bench: Bench) -> None:
    first = bench.place("alice", "SELL", "5", "10.00")
    second = bench.place("alice", "SELL", "5", "10.00")

    bench.place("bob", "BUY", "7", "10.00")

    assert [("10.00", "5")] == bench.fills(first)
    assert [("10.00", "2")] == bench.fills(second)


def test_a_better_price_overtakes_an_older_order(bench: Bench) -> None:
    worse = bench.place("alice", "SELL", "5", "10.01")
    better = bench.place("alice", "SELL", "5", "10.00")

    bench.place("bob", "BUY", "5", "10.01")

    assert [] == bench.fills(worse)
    assert [("10.00", "5")] == bench.fills(better)


def test_both_sides_of_a_trade_share_its_id(bench: Bench) -> None:
    maker = bench.place("alice", "SELL", "5", "10.00")
    taker = bench.place("bob", "BUY", "5", "10.00")

    sides = [bench.ledger.trades_of_order(order.order_id)[0] for order in (maker, taker)]

    assert sides[0].trade_id == sides[1].trade_id
    assert [True, False] == [side.is_maker for side in sides]


def test_an_order_never_trades_with_its_own_account_the_resting_one_expires(bench: Bench) -> None:
    own = bench.place("alice", "SELL", "5", "10.00")
    other = bench.place("bob", "SELL", "5", "10.01")

    taker = bench.place("alice", "BUY", "5", "10.01")

    assert "EXPIRED_IN_MATCH" == own.status
    assert ("FILLED", "FILLED") == (taker.status, other.status)


def test_a_moving_market_fills_resting_orders_at_their_own_price(bench: Bench) -> None:
    order = bench.place("alice", "BUY", "8", "9.90")

    bench.quotes([], [("9.85", "3"), ("9.88", "2"), ("9.95", "50")])

    assert [("9.90", "3"), ("9.90", "2")] == bench.fills(order)
    assert "PARTIALLY_FILLED" == order.status


def test_taken_liquidity_stays_taken_until_the_market_moves(bench: Bench) -> None:
    bench.quotes([], [("10.01", "5")])
    bench.place("alice", "BUY", "5")

    starved = bench.place("alice", "BUY", "5")
    bench.quotes([], [("10.01", "5")])
    fed = bench.place("alice", "BUY", "5")

    assert ("EXPIRED", "FILLED") == (starved.status, fed.status)


def test_fill_or_kill_is_all_or_nothing(bench: Bench) -> None:
    bench.quotes([], [("10.01", "5")])

    nothing = bench.place("alice", "BUY", "6", "10.01", time_in_force="FOK")
    everything = bench.place("alice", "BUY", "5", "10.01", time_in_force="FOK")

    assert ("EXPIRED", "FILLED") == (nothing.status, everything.status)
    assert [] == bench.fills(nothing)


def test_a_market_order_by_quote_amount_buys_what_the_amount_pays_for(bench: Bench) -> None:
    bench.quotes([], [("10.00", "5"), ("20.00", "5")])

    order = bench.place("alice", "BUY", "0", quote_order_qty="75")

    assert [("10.00", "5"), ("20.00", "1.2")] == bench.fills(order)


def test_fees_are_taken_from_what_is_received(bench: Bench) -> None:
    bench.quotes([], [("10.00", "5")])

    order = bench.place("alice", "BUY", "5")

    trade = bench.ledger.trades_of_order(order.order_id)[0]
    assert ("XYZ", "0.01000000") == (trade.commission_asset, str(trade.commission))
    assert "10004.99000000" == str(bench.ledger.balance("alice", "XYZ").free)
    assert "9950.00" == str(bench.ledger.balance("alice", "USD").free)


def test_a_buy_below_its_price_locks_only_what_it_still_needs(bench: Bench) -> None:
    bench.quotes([], [("9.00", "5")])

    bench.place("alice", "BUY", "8", "10.00")

    usd = bench.ledger.balance("alice", "USD")
    assert ("30.00", "9925.00") == (str(usd.locked), str(usd.free))


def test_a_refused_order_leaves_no_trace(bench: Bench) -> None:
    bench.place("alice", "BUY", "5", "9.00", client_order_id="twin")
    before = list(bench.log.lines)

    with pytest.raises(VenueRefusal, match="Duplicate order sent"):
        bench.place("alice", "BUY", "5", "9.00", client_order_id="twin")
    with pytest.raises(VenueRefusal, match="insufficient balance"):
        bench.place("alice", "BUY", "5000", "9.00")

    assert before == bench.log.lines
