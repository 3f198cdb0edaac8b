"""The unified dialect serves exchanges without one of their own; tried on the venue process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.brokers.conftest import SYMBOL, accepted, config_for, hold
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt import unified as unified_dialect
from trading_orchestrator.brokers.ccxt.binance_spot import BinanceSpot
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import StreamParts
from trading_orchestrator.brokers.ccxt.dialects import dialect_of
from trading_orchestrator.brokers.ccxt.streams import Stream
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import (
    Connected,
    NewOrder,
    NoAnswer,
    OrderRefused,
    OrderReport,
    OrdType,
    Side,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.market.port import Quote, Trade


@pytest.fixture
async def client(venue: VenueProcess) -> AsyncIterator[CcxtClient]:
    client = CcxtClient(config_for(venue), clock=SystemClock())
    yield client
    await client.close()


@pytest.fixture
def unified(client: CcxtClient) -> Unified:
    return Unified(client)


def buy(cl_ord_id: str, px: str = "1.00000", qty: str = "10") -> NewOrder:
    return NewOrder(cl_ord_id, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(qty), Decimal(px))


async def test_an_order_is_accepted_found_and_canceled(unified: Unified) -> None:
    answer = await unified.submit(buy("tx-u1"))
    asked = await unified.order(SYMBOL, "tx-u1")
    (listed,) = await unified.open_orders([SYMBOL])
    canceled = await unified.cancel(SYMBOL, "tx-u1")

    reports = [answer, asked, listed, canceled]
    assert [VenueStatus.NEW] * 3 + [VenueStatus.CANCELED] == [each.status for each in reports]
    assert [("tx-u1", Decimal(10), Decimal(1))] * 4 == [(each.cl_ord_id, each.order_qty, each.px) for each in reports]


async def test_an_order_is_found_and_canceled_under_the_venues_own_name_of_the_id(venue: VenueProcess) -> None:
    client = CcxtClient(config_for(venue, client_id_param="origClientOrderId"), clock=SystemClock())
    asked: list[dict[str, Any]] = []
    exchange = await client.ready()

    def overheard(ask: Callable[..., Any]) -> Callable[..., Any]:
        def heard(order_id: None, symbol: str, params: dict[str, Any]) -> Any:
            asked.append(params)
            return ask(order_id, symbol, params)

        return heard

    exchange.fetch_order, exchange.cancel_order = overheard(exchange.fetch_order), overheard(exchange.cancel_order)
    unified = Unified(client)
    await unified.submit(buy("tx-u1b"))
    found = await unified.order(SYMBOL, "tx-u1b")
    canceled = await unified.cancel(SYMBOL, "tx-u1b")
    await client.close()

    assert [VenueStatus.NEW, VenueStatus.CANCELED] == [found.status, canceled.status]
    assert [{"origClientOrderId": "tx-u1b"}] * 3 == asked


async def test_trades_and_balances_are_exact(unified: Unified) -> None:
    before = {each.asset: each for each in await unified.balances()}
    answer = await unified.submit(buy("tx-u2", px="1.10010", qty="123.4"))
    after = {each.asset: each for each in await unified.balances()}

    (trade,) = await unified.trades(SYMBOL, str(int(answer.trades[0].trade_id) - 1), None)
    assert (Decimal("1.1001"), Decimal("123.4"), Decimal("0.1234")) == (trade.last_px, trade.last_qty, trade.fee)
    assert Decimal("123.2766") == after["EUR"].total - before["EUR"].total


async def test_both_dialects_name_the_same_instruments(client: CcxtClient, unified: Unified) -> None:
    assert await BinanceSpot(client).instruments() == await unified.instruments()


async def test_a_ghost_is_unknown_and_then_found(venue: VenueProcess, unified: Unified) -> None:
    for fault in ({"fault": "F2"}, {"fault": "F3", "effect": "empty"}, {"fault": "F3", "effect": "truncate"}):
        name = f"tx-u-{'-'.join(fault.values())}"
        venue.fault(client_order_id=name, **fault)

        with pytest.raises(NoAnswer):
            await unified.submit(buy(name))

        assert (1, name) == (accepted(venue, name), (await unified.order(SYMBOL, name)).cl_ord_id)


async def test_what_ccxt_refuses_by_itself_was_never_sent(venue: VenueProcess, unified: Unified) -> None:
    with pytest.raises(OrderRefused):
        await unified.submit(buy("tx-u-tiny", qty="0.0001"))

    assert 0 == accepted(venue, "tx-u-tiny")


async def watch(client: CcxtClient, parts: StreamParts) -> Stream:
    from trading_orchestrator.kernel.ids import system_random

    stream = Stream(parts.watches, parts.stop, lambda: None, client.config, client.clock, system_random)
    stream.start()
    return stream


async def test_reports_come_after_connected(client: CcxtClient, unified: Unified) -> None:
    said: asyncio.Queue[Any] = asyncio.Queue()
    stream = await watch(client, unified.report_watches(said.put_nowait, lambda: None))
    first = await said.get()
    await unified.submit(buy("tx-u3", px="1.10010"))

    seen: dict[type, Any] = {}
    async with asyncio.timeout(15):
        while not {OrderReport, TradeReport} <= set(seen):
            report = await said.get()
            seen[type(report)] = report
    await stream.close()

    assert isinstance(first, Connected)
    assert ("tx-u3", Decimal("1.1001")) == (seen[OrderReport].cl_ord_id, seen[TradeReport].last_px)


async def test_prices_come_as_quotes_and_trades(venue: VenueProcess, client: CcxtClient, unified: Unified) -> None:
    said: asyncio.Queue[Any] = asyncio.Queue()
    stream = await watch(client, unified.market_watches([SYMBOL], said.put_nowait))

    seen: set[type] = set()
    async with asyncio.timeout(30):
        for step in range(600):
            hold(venue, bid=f"1.0{step:04}")
            await unified.submit(buy(f"tx-u4-{step}", px="1.10010"))
            while not said.empty():
                seen.add(type(said.get_nowait()))
            if {Quote, Trade} <= seen:
                break
    await stream.close()

    assert {Quote, Trade} == seen


@pytest.mark.parametrize(
    ("exchange", "dialect"), [("binance", BinanceSpot), ("binanceusdm", Unified), ("kraken", Unified)]
)
def test_an_exchange_gets_the_dialect_that_knows_it(exchange: str, dialect: type) -> None:
    assert dialect is type(dialect_of(CcxtClient(CcxtConfig(exchange=exchange), clock=SystemClock())))


async def test_trades_beyond_a_cursor_are_all_found_from_its_time_on(
    venue: VenueProcess, unified: Unified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue asked without a time tells its newest page: what lies between the cursor and that page was skipped."""
    monkeypatch.setattr(unified_dialect, "_PAGE", 4)
    hold(venue)
    for number in range(12):
        await unified.submit(buy(f"tx-cursor{number}", px="1.20000", qty="10"))
    mine = sorted(await unified.trades(SYMBOL, None, 0), key=lambda trade: int(trade.trade_id))[-12:]
    cursor = mine[1]

    found = await unified.trades(SYMBOL, cursor.trade_id, cursor.at_ns)
    newest = await unified.trades(SYMBOL, cursor.trade_id, None)

    assert [trade.trade_id for trade in mine[2:]] == [trade.trade_id for trade in found]
    assert len(newest) < len(found)
