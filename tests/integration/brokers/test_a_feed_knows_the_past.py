"""Against a real venue process: the first quote without a move, and the bars that closed before we came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tests.integration.brokers.conftest import SYMBOL, config_for
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.brokers.ccxt.history import recent_bars
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.market.port import Bar, Quote, past_of


@pytest.fixture
async def client(venue: VenueProcess) -> AsyncIterator[CcxtClient]:
    client = CcxtClient(config_for(venue), clock=SystemClock())
    yield client
    await client.close()


async def test_the_first_quote_does_not_wait_for_the_market_to_move(client: CcxtClient) -> None:
    feed = CcxtFeed(client.config, clock=client.clock, client=client)
    events = feed.events([SYMBOL])

    first = await anext(events)

    assert isinstance(first, Quote)
    assert (Decimal("1.10000"), Decimal("1.10010")) == (first.bid_px, first.ask_px)
    await events.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_closed_bars_of_the_venue_are_told_alike_by_both_dialects(client: CcxtClient) -> None:
    feed = CcxtFeed(client.config, clock=client.clock, client=client)
    broker = CcxtBroker(client.config, clock=client.clock, client=client)
    await broker.connect()
    assert feed is past_of(feed)
    before = len(await feed.bars(SYMBOL, 2, last=50))
    order = NewOrder("tx-bar", SYMBOL, Side.BUY, OrdType.LIMIT, Decimal("12.3"), Decimal("1.10010"))
    await broker.submit(order)

    bars: list[Bar] = []
    for _ in range(100):
        bars = list(await feed.bars(SYMBOL, 2, last=50))
        if len(bars) > before:
            break
        await client.clock.sleep(0.05)

    now_ns = client.venue_now_ns()
    assert Decimal("1.10010") == bars[-1].close_px
    assert bars[-1].volume_qty >= Decimal("12.3")  # the market may have traded before it was held
    assert (0, 2_000_000_000) == (bars[-1].open_ns % 2_000_000_000, bars[-1].close_ns - bars[-1].open_ns)
    assert bars[-1].close_ns <= now_ns
    assert bars == await recent_bars(Unified(client), SYMBOL, 2, last=50, venue_now_ns=now_ns)
