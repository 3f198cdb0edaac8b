"""Public streams on the wire: raw and combined, subscribed by path and by message, as Binance frames them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.integration.venue.conftest import hold
from tests.venue_process import VenueProcess


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_a_raw_stream_is_named_by_its_path(venue: VenueProcess, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{venue.ws_url}/ws/eurusdt@bookTicker") as stream:
        await listed(stream)
        hold(venue, bid="1.09990", ask="1.10020", qty="700")

        quote = await stream.receive_json()

    assert ("EURUSDT", "1.09990000", "700.00000000", "1.10020000", "700.00000000") == (
        quote["s"],
        quote["b"],
        quote["B"],
        quote["a"],
        quote["A"],
    )
    assert "e" not in quote


async def test_a_combined_stream_wraps_each_event(venue: VenueProcess, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{venue.ws_url}/stream?streams=eurusdt@trade/eurusdt@bookTicker") as stream:
        await listed(stream)
        market_order(venue)

        first, second = [await stream.receive_json() for _ in range(2)]

    assert ["eurusdt@trade", "eurusdt@bookTicker"] == [first["stream"], second["stream"]]
    assert ("trade", "1.10010000", "25.00000000", False) == tuple(first["data"][name] for name in ("e", "p", "q", "m"))
    assert "975.00000000" == second["data"]["A"]


async def test_streams_are_added_and_removed_by_message(venue: VenueProcess, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{venue.ws_url}/ws") as stream:
        await stream.send_json({"method": "SUBSCRIBE", "params": ["eurusdt@trade", "eurusdt@bookTicker"], "id": 1})
        assert {"result": None, "id": 1} == await stream.receive_json()
        await stream.send_json({"method": "UNSUBSCRIBE", "params": ["eurusdt@bookTicker"], "id": 2})
        assert {"result": None, "id": 2} == await stream.receive_json()

        assert ["eurusdt@trade"] == await listed(stream)
        market_order(venue)
        market_order(venue)
        assert ["trade", "trade"] == [(await stream.receive_json())["e"] for _ in range(2)]


async def test_nonsense_gets_an_error_and_the_stream_stays_open(
    venue: VenueProcess, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{venue.ws_url}/ws") as stream:
        await stream.send_str("nonsense")
        assert 3 == (await stream.receive_json())["error"]["code"]
        await stream.send_json({"method": "DANCE", "id": 5})
        first = await stream.receive_json()
        await stream.send_json({"method": "SUBSCRIBE", "params": "eurusdt@trade", "id": 6})
        second = await stream.receive_json()
        assert [(5, 2), (6, 2)] == [(said["id"], said["error"]["code"]) for said in (first, second)]

        assert [] == await listed(stream)


async def test_an_unchanged_quote_is_not_repeated(venue: VenueProcess, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{venue.ws_url}/ws/eurusdt@bookTicker") as stream:
        await listed(stream)
        hold(venue, bid="1.09000")
        hold(venue, bid="1.09000")
        hold(venue, bid="1.08000")

        seen = [await stream.receive_json() for _ in range(2)]

    assert ["1.09000000", "1.08000000"] == [quote["b"] for quote in seen]
    assert seen[0]["u"] + 1 == seen[1]["u"]


async def test_the_user_stream_tells_an_order_in_binances_fields(
    venue: VenueProcess, session: aiohttp.ClientSession, alice: Any
) -> None:
    async with session.ws_connect(f"{venue.ws_url}/ws-api/v3") as stream:
        request = {"id": "7", "method": "userDataStream.subscribe.signature", "params": alice.sign_params({})}
        await stream.send_json(request)
        confirmed = await stream.receive_json()
        await alice.create_order("EUR/USDT", "market", "buy", 25, None, {"newClientOrderId": "in-fields"})
        new, trade, position = [await stream.receive_json() for _ in range(3)]

    number = confirmed["result"]["subscriptionId"]
    assert ("7", 200) == (confirmed["id"], confirmed["status"])
    assert [number] * 3 == [frame["subscriptionId"] for frame in (new, trade, position)]
    assert [("NEW", "NEW"), ("TRADE", "FILLED")] == [(f["event"]["x"], f["event"]["X"]) for f in (new, trade)]
    assert ("in-fields", "25.00000000", "1.10010000", "0.02500000", "EUR") == tuple(
        trade["event"][name] for name in ("c", "l", "L", "n", "N")
    )
    assert ["EUR", "USDT"] == [balance["a"] for balance in position["event"]["B"]]


async def listed(stream: aiohttp.ClientWebSocketResponse) -> list[str]:
    """Return the connection's streams; once it answers, the venue has taken the subscriptions in."""
    await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 99})
    said = await stream.receive_json()
    assert 99 == said["id"]
    result: list[str] = said["result"]
    return result


def market_order(venue: VenueProcess) -> None:
    order = {"account": "bob", "symbol": "EURUSDT", "side": "BUY", "type": "MARKET", "quantity": "25"}
    venue.control("POST", "orders", order)
