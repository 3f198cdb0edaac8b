"""What the venue itself does wrong: overfills, busts, corrections, ids given out again, lists that lack something."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest

from tests.venue_process import VenueProcess

SYMBOL = "EUR/USDT"


def misbehave(venue: VenueProcess, deed: str, **facts: Any) -> None:
    venue.control("POST", "misdeeds", {"deed": deed, "account": "alice", "symbol": "EURUSDT"} | facts)


def held(venue: VenueProcess, asset: str) -> Decimal:
    balance = venue.account_state("alice")["balances"][asset]
    return Decimal(balance["free"]) + Decimal(balance["locked"])


async def test_an_order_may_fill_beyond_its_quantity(venue: VenueProcess, alice: Any) -> None:
    await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": "too-much"})
    before = held(venue, "EUR"), held(venue, "USDT")

    misbehave(venue, "overfill", client_order_id="too-much", qty="12", price="1.0")

    order = await alice.fetch_order(None, SYMBOL, {"origClientOrderId": "too-much"})
    assert ("closed", 10.0, 12.0) == (order["status"], order["amount"], order["filled"])
    assert (Decimal("11.988"), Decimal(-12)) == (held(venue, "EUR") - before[0], held(venue, "USDT") - before[1])
    assert "0.00000000" == venue.account_state("alice")["balances"]["USDT"]["locked"]


async def test_a_trade_may_be_taken_back(venue: VenueProcess, alice: Any) -> None:
    before = held(venue, "EUR"), held(venue, "USDT")
    order = await alice.create_order(SYMBOL, "market", "buy", 25)

    misbehave(venue, "bust", trade_id=int(order["trades"][0]["id"]))

    assert before == (held(venue, "EUR"), held(venue, "USDT"))
    assert [] == await alice.fetch_my_trades(SYMBOL, params={"orderId": order["id"]})


async def test_a_trade_may_be_corrected(venue: VenueProcess, alice: Any) -> None:
    before = held(venue, "USDT")
    order = await alice.create_order(SYMBOL, "market", "buy", 25)

    misbehave(venue, "correct", trade_id=int(order["trades"][0]["id"]), price="1.0")

    trade = (await alice.fetch_my_trades(SYMBOL, params={"orderId": order["id"]}))[0]
    assert (1.0, 25.0) == (trade["price"], trade["amount"])
    assert Decimal(-25) == held(venue, "USDT") - before


async def test_ids_may_be_given_out_again_and_the_log_remembers(own_venue: VenueProcess, make_client: Any) -> None:
    client = make_client(own_venue, "alice")
    first = await client.create_order(SYMBOL, "market", "buy", 25)

    misbehave(own_venue, "set_counters", next_order_id=1, next_trade_id=int(first["trades"][0]["id"]))
    again = await client.create_order(SYMBOL, "market", "sell", 5)

    assert (first["id"], first["trades"][0]["id"]) == (again["id"], again["trades"][0]["id"])
    assert [5.0] == [trade["amount"] for trade in await client.fetch_my_trades(SYMBOL)]
    state = own_venue.account_state("alice")
    own_venue.kill()
    own_venue.start()
    assert state == own_venue.account_state("alice")


async def test_ids_of_open_orders_are_not_given_out_again(venue: VenueProcess, alice: Any) -> None:
    await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0)

    with pytest.raises(ValueError, match="expected no open order"):
        misbehave(venue, "set_counters", next_order_id=1, next_trade_id=1)


async def test_an_order_may_vanish_from_the_open_ones(venue: VenueProcess, alice: Any) -> None:
    for name in ("gone-half", "here"):
        await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": name})
    venue.fault("F15", client_order_id="gone-half")

    listed = await alice.fetch_open_orders(SYMBOL)

    assert ["here"] == [order["clientOrderId"] for order in listed]
    assert 2 == len(await alice.fetch_open_orders(SYMBOL))


async def test_fills_may_be_older_than_the_look_back(venue: VenueProcess, alice: Any) -> None:
    for qty in (5, 6, 7):
        await alice.create_order(SYMBOL, "market", "buy", qty)
    venue.fault("F16", keep=1)

    assert [7.0] == [trade["amount"] for trade in await alice.fetch_my_trades(SYMBOL)]
    assert [5.0, 6.0, 7.0] == [trade["amount"] for trade in await alice.fetch_my_trades(SYMBOL)][-3:]


async def test_a_request_may_arrive_twice(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault("F9", client_order_id="echoed")

    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": "echoed"})

    assert 1 == len([fact for fact in venue.log("order.accepted") if fact["client_order_id"] == "echoed"])


async def test_a_fee_may_lack_its_asset_and_a_clock_may_stand(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")
    trades = asyncio.create_task(alice.watch_my_trades(SYMBOL))
    venue.fault("F14")
    venue.fault("F21", times=9)

    await alice.create_order(SYMBOL, "market", "buy", 10)  # the first frame without N, the next ones in 2017

    assert ["2017-01-01T00:00:00.000Z"] == [trade["datetime"] for trade in await trades]


@pytest.mark.parametrize("how", ["fault", "control"])
async def test_a_stream_may_be_half_open(venue: VenueProcess, make_client: Any, how: str) -> None:
    client = make_client(venue, "alice")
    client.streaming = {**client.streaming, "keepAlive": 200}
    await client.load_markets()
    await client.ensure_user_data_stream_ws_subscribe_signature("spot")
    orders = asyncio.create_task(client.watch_orders(SYMBOL))
    if how == "fault":
        venue.fault("F19")
        await client.create_order(SYMBOL, "limit", "buy", 10, 1.0)
    else:
        venue.control("POST", "streams/close", {"kind": "user", "half_open": True})

    with pytest.raises(ccxt.RequestTimeout):  # by its own unanswered pings: nobody told it
        await orders


async def test_a_session_may_expire_on_an_open_connection(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")

    assert 1 <= venue.control("POST", "streams/close", {"kind": "user", "expire": True})["closed"]

    assert {"closed": 0} == venue.control("POST", "streams/close", {"kind": "user"})


async def test_a_subscription_may_be_confirmed_and_never_served(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault("F23")

    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")

    assert {"closed": 0} == venue.control("POST", "streams/close", {"kind": "user"})


async def test_streams_may_be_turned_away_at_the_door(venue: VenueProcess) -> None:
    opened = len(venue.log("stream.opened"))
    venue.fault("F24", times=4)  # two connects: aiohttp asks a second time by itself

    async with aiohttp.ClientSession() as session:
        for path in ("ws-api/v3", "ws"):
            with pytest.raises(aiohttp.ClientError):
                await session.ws_connect(f"{venue.ws_url}/{path}")
        assert opened == len(venue.log("stream.opened"))
        await session.ws_connect(f"{venue.ws_url}/ws-api/v3")

    assert ["user_stream"] == [fact["stream"] for fact in venue.log("stream.opened")[opened:]]


def test_an_unknown_misdeed_is_refused_with_the_known_ones(venue: VenueProcess) -> None:
    with pytest.raises(ValueError, match="expected a deed named one of overfill"):
        misbehave(venue, "vanish")
    with pytest.raises(ValueError, match="expected a trade of alice"):
        misbehave(venue, "bust", trade_id=0)
