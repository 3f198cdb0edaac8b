"""The life of orders at a real venue process, as the broker port tells it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.brokers.conftest import ACCOUNT, SYMBOL, accepted
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.port import (
    CancelRefused,
    DuplicateOrder,
    NewOrder,
    OrderNotFound,
    OrderRefused,
    OrdType,
    Side,
    TimeInForce,
    VenueStatus,
)
from trading_orchestrator.errors import Refused


def order(cl_ord_id: str, px: str | None = "1.00000", qty: str = "10", **more: object) -> NewOrder:
    ord_type = OrdType.MARKET if px is None else OrdType.LIMIT
    fields = {"side": Side.BUY, "ord_type": ord_type, "order_qty": Decimal(qty), "px": px and Decimal(px)}
    return NewOrder(cl_ord_id=cl_ord_id, symbol=SYMBOL, **(fields | more))  # type: ignore[arg-type]


async def test_a_resting_order_is_accepted_found_and_canceled(broker: CcxtBroker) -> None:
    answer = await broker.submit(order("tx-rest"))
    asked = await broker.order(SYMBOL, "tx-rest")
    listed = await broker.open_orders([SYMBOL])
    canceled = await broker.cancel(SYMBOL, "tx-rest")

    seen = [(each.status, each.source, each.cum_qty) for each in (answer, asked, *listed, canceled)]
    assert [
        (VenueStatus.NEW, "answer", Decimal(0)),
        (VenueStatus.NEW, "query", Decimal(0)),
        (VenueStatus.NEW, "open_orders", Decimal(0)),
        (VenueStatus.CANCELED, "answer", Decimal(0)),
    ] == seen
    assert 1 == len({each.venue_order_id for each in (answer, asked, *listed, canceled)})
    assert [] == list(await broker.open_orders([SYMBOL]))


async def test_a_taking_order_tells_its_trades_in_the_answer(broker: CcxtBroker) -> None:
    answer = await broker.submit(order("tx-take", px="1.10010", qty="100"))
    (trade,) = answer.trades
    (booked,) = await broker.trades(SYMBOL, after_id=str(int(trade.trade_id) - 1))

    assert (VenueStatus.FILLED, Decimal(100)) == (answer.status, answer.cum_qty)
    assert (Decimal("1.10010"), Decimal("0.1"), "EUR") == (trade.last_px, trade.fee, trade.fee_asset)
    assert (trade.trade_id, trade.venue_order_id, trade.at_ns) == (
        booked.trade_id, booked.venue_order_id, booked.at_ns,
    )  # fmt: skip
    assert "" == booked.cl_ord_id


async def test_an_immediate_order_expires_with_what_it_got(broker: CcxtBroker) -> None:
    answer = await broker.submit(order("tx-ioc", px="1.10010", qty="1500", time_in_force=TimeInForce.IOC))

    assert (VenueStatus.EXPIRED, Decimal(1000)) == (answer.status, answer.cum_qty)
    assert Decimal(1000) == sum(trade.last_qty for trade in answer.trades)


async def test_a_market_order_has_no_price(broker: CcxtBroker) -> None:
    answer = await broker.submit(order("tx-market", px=None, side=Side.SELL))

    assert (OrdType.MARKET, None, VenueStatus.FILLED) == (answer.ord_type, answer.px, answer.status)


async def test_a_maker_order_that_would_take_is_refused(broker: CcxtBroker, venue: VenueProcess) -> None:
    with pytest.raises(OrderRefused) as refused:
        await broker.submit(order("tx-maker", px="1.20000", ord_type=OrdType.LIMIT_MAKER))

    assert ("-2010", 0) == (refused.value.facts["venue_code"], accepted(venue, "tx-maker"))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"qty": "0.05"}, "-1013"),
        ({"qty": "1E+8"}, "-1013"),
        ({"px": "1.000001"}, "-1013"),
        ({"qty": "1"}, "-1013"),
        ({"qty": "5000000"}, "-2010"),
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_code(broker: CcxtBroker, bad: dict[str, str], code: str) -> None:
    with pytest.raises(OrderRefused) as refused:
        await broker.submit(order("tx-bad", **bad))

    assert code == refused.value.facts["venue_code"]


async def test_an_unknown_symbol_is_refused_before_a_byte_leaves(broker: CcxtBroker) -> None:
    with pytest.raises(Refused, match="expected a symbol of the venue, was NO/SUCH"):
        await broker.order("NO/SUCH", "tx-1")


async def test_the_id_of_an_open_order_is_a_duplicate(broker: CcxtBroker, venue: VenueProcess) -> None:
    await broker.submit(order("tx-double"))

    with pytest.raises(DuplicateOrder):
        await broker.submit(order("tx-double"))

    assert 1 == accepted(venue, "tx-double")


async def test_not_found_on_query_and_on_cancel_are_two_things(broker: CcxtBroker) -> None:
    with pytest.raises(OrderNotFound):
        await broker.order(SYMBOL, "tx-never")
    with pytest.raises(CancelRefused):
        await broker.cancel(SYMBOL, "tx-never")


async def test_trades_are_read_from_a_cursor_from_a_time_and_from_the_beginning(
    broker: CcxtBroker, venue: VenueProcess
) -> None:
    first = await broker.submit(order("tx-t1", px="1.10010"))
    second = await broker.submit(order("tx-t2", px="1.10010"))
    cursor = first.trades[0].trade_id

    after = await broker.trades(SYMBOL, after_id=cursor)
    since = await broker.trades(SYMBOL, since_ns=second.trades[0].at_ns)
    everything = await broker.trades(SYMBOL)

    assert [second.trades[0].trade_id] == [trade.trade_id for trade in after]
    assert second.trades[0].trade_id == since[-1].trade_id
    assert [trade["id"] for trade in venue.account_state(ACCOUNT)["trades"]] == [
        int(trade.trade_id) for trade in everything
    ]


async def test_balances_lock_what_an_order_needs(broker: CcxtBroker) -> None:
    before = {each.asset: each for each in await broker.balances()}
    await broker.submit(order("tx-lock", px="1.00000", qty="10"))
    after = {each.asset: each for each in await broker.balances()}

    assert (Decimal(10), Decimal(0)) == (
        after["USDT"].locked - before["USDT"].locked,
        after["USDT"].total - before["USDT"].total,
    )


async def test_the_clock_offset_on_one_machine_is_small(broker: CcxtBroker) -> None:
    assert abs(await broker.clock_offset_s()) < 0.25
