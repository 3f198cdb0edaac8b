"""Depth, candles and 24 h statistics through unmodified ccxt: the streams agree with the snapshots."""

import asyncio
from typing import Any

import aiohttp
import ccxt
import pytest

from tests.integration.venue.conftest import MakeClient, hold
from tests.venue_process import VenueProcess

SYMBOL = "EUR/USDT"


async def test_the_streamed_book_follows_every_change_of_a_level(
    venue: VenueProcess, alice: Any, make_client: MakeClient
) -> None:
    watcher = make_client(venue, "bob")
    book = await watcher.watch_order_book(SYMBOL)
    assert ([[1.1, 1000.0]], [[1.1001, 1000.0]]) == (book["bids"], book["asks"])

    await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0)
    book = await watcher.watch_order_book(SYMBOL)
    assert [[1.1, 1000.0], [1.0, 10.0]] == book["bids"]

    await alice.create_order(SYMBOL, "market", "buy", 25)
    book = await watcher.watch_order_book(SYMBOL)
    assert [[1.1001, 975.0]] == book["asks"]

    hold(venue, bid="1.09990", ask="1.10020", qty="700")
    book = await watcher.watch_order_book(SYMBOL)
    snapshot = await alice.fetch_order_book(SYMBOL)
    assert (snapshot["bids"], snapshot["asks"], snapshot["nonce"]) == (book["bids"], book["asks"], book["nonce"])


async def test_a_partial_book_comes_whole_each_time(venue: VenueProcess) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws_url}/ws/eurusdt@depth5@100ms") as stream,
    ):
        await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        await stream.receive_json()
        hold(venue, bid="1.09990", ask="1.10020", qty="700")

        book = await stream.receive_json()

    assert [["1.09990000", "700.00000000"]] == book["bids"]
    assert [["1.10020000", "700.00000000"]] == book["asks"]


async def test_candles_hold_the_tape(venue: VenueProcess, alice: Any) -> None:
    before = await traded_qty(alice)
    await alice.create_order(SYMBOL, "market", "buy", 25)
    hold(venue, bid="1.09000", ask="1.10010")
    await alice.create_order(SYMBOL, "market", "sell", 15)

    newest = (await alice.fetch_ohlcv(SYMBOL, "1d"))[-1]

    assert 40.0 == round(await traded_qty(alice) - before, 8)
    assert (1.09, True) == (newest[4], newest[3] <= 1.09 < 1.1001 <= newest[2])


async def test_a_candle_streams_while_it_grows(alice: Any) -> None:
    watching = asyncio.create_task(alice.watch_ohlcv(SYMBOL, "1d"))
    await alice.create_order(SYMBOL, "market", "buy", 25)

    streamed = (await watching)[-1]

    assert (await alice.fetch_ohlcv(SYMBOL, "1d"))[-1] == streamed


async def test_a_candle_is_told_once_more_when_it_closes(venue: VenueProcess) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws_url}/ws/eurusdt@kline_1s") as stream:
        told = [(await stream.receive_json())["k"] for _ in range(3)]

    closed = [candle for candle in told if candle["x"]]
    assert [] != closed
    assert all(candle["T"] - candle["t"] == 999 for candle in told)
    assert closed[0]["t"] in [candle["t"] for candle in told if not candle["x"]]


async def test_an_unknown_interval_is_refused(alice: Any) -> None:
    await alice.load_markets()

    with pytest.raises(ccxt.BadRequest, match="-1120"):
        await alice.public_get_klines({"symbol": "EURUSDT", "interval": "7m"})


async def test_the_day_is_summed_up(alice: Any) -> None:
    before = await alice.fetch_ticker(SYMBOL)
    await alice.create_order(SYMBOL, "market", "buy", 25)

    after = await alice.fetch_ticker(SYMBOL)

    assert (1.1, 1.1001, 1.1001) == (after["bid"], after["ask"], after["last"])
    assert 25.0 == round(after["baseVolume"] - before["baseVolume"], 8)
    assert [SYMBOL] == list(await alice.fetch_tickers())


async def traded_qty(client: Any) -> float:
    candles = await client.fetch_ohlcv(SYMBOL, "1d")
    return float(sum(candle[5] for candle in candles))
