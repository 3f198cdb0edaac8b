"""Reports and prices arrive exactly, and go on after the venue was gone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from decimal import Decimal

from tests.integration.brokers.conftest import SYMBOL, Desk, hold
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.port import Connected, NewOrder, OrderReport, OrdType, Side, VenueStatus
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.market.port import Quote, Trade

MakeDesk = Callable[..., Desk]


def order(cl_ord_id: str, px: str = "1.00000", qty: str = "10") -> NewOrder:
    return NewOrder(cl_ord_id, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(qty), Decimal(px))


def connections(desk: Desk) -> int:
    return sum(isinstance(each, Connected) for each in desk.reports)


def statuses(desk: Desk, cl_ord_id: str) -> list[VenueStatus]:
    return [each.status for each in desk.reports if isinstance(each, OrderReport) and each.cl_ord_id == cl_ord_id]


async def test_connected_comes_first_and_then_every_step_of_an_order(venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(venue)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)

    await desk.broker.submit(order("tx-s1"))
    await desk.broker.cancel(SYMBOL, "tx-s1")
    await desk.until(lambda: VenueStatus.CANCELED in statuses(desk, "tx-s1"))

    assert isinstance(desk.reports[0], Connected)
    assert [VenueStatus.NEW, VenueStatus.CANCELED] == statuses(desk, "tx-s1")


async def test_partial_fills_arrive_one_by_one_with_their_trades(venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(venue)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)

    await desk.broker.submit(order("tx-s2", px="1.10010", qty="1500"))
    hold(venue, ask="1.10005", qty="200")
    hold(venue, ask="1.10010", qty="1000")
    await desk.until(lambda: VenueStatus.FILLED in statuses(desk, "tx-s2"))

    trades = [trade for each in desk.reports if isinstance(each, OrderReport) for trade in each.trades]
    assert [Decimal(1000), Decimal(200), Decimal(300)] == [trade.last_qty for trade in trades]
    booked = await desk.broker.trades(SYMBOL, after_id=str(int(trades[0].trade_id) - 1))
    assert [trade.trade_id for trade in booked] == [trade.trade_id for trade in trades]


async def test_hundred_orders_in_a_burst_lose_no_report(venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(venue)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)
    names = [f"tx-burst-{number}" for number in range(100)]

    await asyncio.gather(*(desk.broker.submit(order(name)) for name in names))
    await desk.until(lambda: all(statuses(desk, name) for name in names))

    assert [[VenueStatus.NEW]] * 100 == [statuses(desk, name) for name in names]


async def test_reports_and_prices_go_on_after_the_venue_was_gone(own_venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(own_venue)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)
    await desk.until_prices(own_venue)

    own_venue.kill()
    own_venue.start()
    await desk.until(lambda: connections(desk) >= 2)
    await desk.broker.submit(order("tx-after"))

    await desk.until(lambda: statuses(desk, "tx-after") == [VenueStatus.NEW])
    await desk.until_prices(own_venue)


async def test_a_closed_stream_is_opened_again_and_says_so(venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(venue)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)

    venue.control("POST", "streams/close", {})

    await desk.until(lambda: connections(desk) == 2)


async def test_prices_are_exact_and_carry_both_times(venue: VenueProcess, make_desk: MakeDesk) -> None:
    desk = make_desk(venue)
    await desk.open()
    await desk.until_prices(venue)

    hold(venue, bid="1.23456", ask="1.23457", qty="77.7")
    await desk.until(lambda: any(isinstance(each, Quote) and each.bid_px == Decimal("1.23456") for each in desk.prices))
    await desk.broker.submit(order("tx-print", px="1.23457"))
    await desk.until(lambda: any(isinstance(each, Trade) and each.qty == 10 for each in desk.prices))

    quote = next(each for each in desk.prices if isinstance(each, Quote) and each.bid_px == Decimal("1.23456"))
    trade = next(each for each in desk.prices if isinstance(each, Trade) and each.qty == 10)
    assert (SYMBOL, Decimal("1.23457"), Decimal("77.7")) == (quote.symbol, quote.ask_px, quote.bid_qty)
    assert (SYMBOL, Decimal("1.23457")) == (trade.symbol, trade.px)
    now = SystemClock()
    for each in (quote, trade):
        assert 0 < now.monotonic_ns() - each.received_ns < 15e9
        assert abs(now.wall_ns() - each.at_ns) < 15e9


async def test_closing_ends_within_a_second_although_the_venue_is_frozen(
    own_venue: VenueProcess, make_desk: MakeDesk
) -> None:
    desk = make_desk(own_venue, timeout_s=30.0)
    await desk.open()
    await desk.until(lambda: connections(desk) == 1)
    await desk.until_prices(own_venue)
    own_venue.signal(signal.SIGSTOP)
    asking = asyncio.create_task(desk.broker.balances())
    await SystemClock().sleep(0.05)

    try:
        async with asyncio.timeout(1.0):
            await desk.close()
            await asyncio.gather(asking, return_exceptions=True)
    finally:
        own_venue.signal(signal.SIGCONT)

    assert asking.done()
