"""An unmodified ccxt 4.5 client trades on the practice venue as it would on Binance Spot."""

import asyncio
from typing import Any

from tests.integration.venue.conftest import hold
from tests.venue_process import VenueProcess

SYMBOL = "EUR/USDT"


async def test_the_market_is_listed_with_its_filters(alice: Any) -> None:
    market = (await alice.load_markets())[SYMBOL]

    assert ("EURUSDT", "spot", True) == (market["id"], market["type"], market["active"])
    assert {"amount": 0.1, "price": 1e-05, "base": 1e-08, "quote": 1e-08} == market["precision"]
    assert 5.0 == market["limits"]["cost"]["min"]


async def test_a_market_order_fills_at_the_quote_and_pays_its_fee_in_what_it_receives(alice: Any) -> None:
    before = await alice.fetch_balance()

    order = await alice.create_order(SYMBOL, "market", "buy", 100)

    after = await alice.fetch_balance()
    assert ("closed", 100.0, 1.1001) == (order["status"], order["filled"], order["average"])
    assert [{"currency": "EUR", "cost": 0.1}] == order["fees"]
    assert 99.9 == round(after["EUR"]["total"] - before["EUR"]["total"], 8)
    assert -110.01 == round(after["USDT"]["total"] - before["USDT"]["total"], 8)


async def test_a_limit_order_rests_locks_its_cost_and_frees_it_when_canceled(alice: Any) -> None:
    before = (await alice.fetch_balance())["USDT"]

    order = await alice.create_order(SYMBOL, "limit", "buy", 100, 1.05)
    locked = (await alice.fetch_balance())["USDT"]
    canceled = await alice.cancel_order(order["id"], SYMBOL)
    after = (await alice.fetch_balance())["USDT"]

    assert ("open", "canceled") == (order["status"], canceled["status"])
    assert before["used"] + 105 == locked["used"]
    assert before == after


async def test_an_order_larger_than_the_liquidity_fills_in_parts(venue: VenueProcess, alice: Any) -> None:
    order = await alice.create_order(SYMBOL, "limit", "buy", 1500, 1.1001)
    assert ("open", 1000.0) == (order["status"], order["filled"])

    hold(venue, ask="1.10005", qty="200")
    more = await alice.fetch_order(order["id"], SYMBOL)
    assert ("open", 1200.0) == (more["status"], more["filled"])

    hold(venue, ask="1.10010", qty="1000")
    done = await alice.fetch_order(order["id"], SYMBOL)
    trades = await alice.fetch_my_trades(SYMBOL, params={"orderId": order["id"]})
    assert ("closed", 1500.0) == (done["status"], done["filled"])
    assert [1000.0, 200.0, 300.0] == [trade["amount"] for trade in trades]
    assert ["taker", "maker", "maker"] == [trade["takerOrMaker"] for trade in trades]


async def test_two_accounts_trade_with_each_other_at_the_older_price(venue: VenueProcess, alice: Any, bob: Any) -> None:
    resting = await alice.create_order(SYMBOL, "limit", "buy", 50, 1.10005)

    taking = await bob.create_order(SYMBOL, "market", "sell", 50)

    maker = (await alice.fetch_my_trades(SYMBOL, params={"orderId": resting["id"]}))[0]
    taker = (await bob.fetch_my_trades(SYMBOL, params={"orderId": taking["id"]}))[0]
    assert (maker["id"], 1.10005, 50.0) == (taker["id"], taker["price"], taker["amount"])
    assert ("maker", "buy", "taker", "sell") == (
        maker["takerOrMaker"],
        maker["side"],
        taker["takerOrMaker"],
        taker["side"],
    )


async def test_an_order_is_found_by_its_client_id(alice: Any) -> None:
    await alice.create_order(SYMBOL, "limit", "sell", 10, 1.2, {"newClientOrderId": "found-by-id"})

    found = await alice.fetch_order(None, SYMBOL, {"origClientOrderId": "found-by-id"})

    assert ("found-by-id", "open", 10.0, 1.2) == (
        found["clientOrderId"],
        found["status"],
        found["amount"],
        found["price"],
    )


async def test_trades_are_paged_from_an_id(alice: Any) -> None:
    orders = [await alice.create_order(SYMBOL, "market", "buy", 10) for _ in range(3)]
    first = orders[0]["trades"][0]["id"]

    page = await alice.fetch_my_trades(SYMBOL, limit=2, params={"fromId": first})
    rest = await alice.fetch_my_trades(SYMBOL, params={"fromId": str(int(page[-1]["id"]) + 1)})

    assert [orders[0]["id"], orders[1]["id"]] == [trade["order"] for trade in page]
    assert [orders[2]["id"]] == [trade["order"] for trade in rest]


async def test_open_and_all_orders_are_listed(alice: Any) -> None:
    filled = await alice.create_order(SYMBOL, "market", "buy", 10)
    resting = await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0)

    listed = await alice.fetch_orders(SYMBOL, params={"orderId": filled["id"]})

    assert [resting["id"]] == [order["id"] for order in await alice.fetch_open_orders(SYMBOL)]
    assert [(filled["id"], "closed"), (resting["id"], "open")] == [(order["id"], order["status"]) for order in listed]


async def test_cancel_all_cancels_what_is_open(alice: Any) -> None:
    orders = [await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0) for _ in range(2)]

    canceled = await alice.cancel_all_orders(SYMBOL)

    assert [(order["id"], "canceled") for order in orders] == [(order["id"], order["status"]) for order in canceled]
    assert [] == await alice.fetch_open_orders(SYMBOL)


async def test_immediate_or_cancel_and_fill_or_kill_leave_nothing_behind(alice: Any) -> None:
    partly = await alice.create_order(SYMBOL, "limit", "buy", 1500, 1.1001, {"timeInForce": "IOC"})
    killed = await alice.create_order(SYMBOL, "limit", "sell", 1500, 1.1, {"timeInForce": "FOK"})

    assert ("expired", 1000.0) == (partly["status"], partly["filled"])
    assert ("expired", 0.0) == (killed["status"], killed["filled"])


async def test_quotes_and_trades_stream_while_the_path_is_played(venue: VenueProcess, alice: Any) -> None:
    venue.control("POST", "market", {"go_on": True})

    quotes = (await alice.watch_bids_asks([SYMBOL]))[SYMBOL]
    trades = await alice.watch_trades(SYMBOL)

    assert quotes["bid"] < quotes["ask"]
    assert trades[-1]["price"] > 0
    assert abs(trades[-1]["timestamp"] - await alice.fetch_time()) < 5_000


async def test_orders_and_trades_stream_to_their_account_only(venue: VenueProcess, alice: Any, bob: Any) -> None:
    await bob.load_markets()
    stranger = asyncio.create_task(bob.watch_orders(SYMBOL))
    orders = asyncio.create_task(alice.watch_orders(SYMBOL))
    trades = asyncio.create_task(alice.watch_my_trades(SYMBOL))
    balance = asyncio.create_task(alice.watch_balance())
    await user_stream_is_open(alice)

    placed = await alice.create_order(SYMBOL, "market", "buy", 20, None, {"newClientOrderId": "streamed"})

    streamed = (await orders)[-1]
    while streamed["status"] != "closed":
        streamed = (await alice.watch_orders(SYMBOL))[-1]
    trade = (await trades)[-1]
    assert ("streamed", 20.0) == (streamed["clientOrderId"], streamed["filled"])
    assert (placed["id"], 20.0) == (trade["order"], trade["amount"])
    assert (await alice.fetch_balance())["EUR"]["free"] == (await balance)["EUR"]["free"]
    assert not stranger.done()
    stranger.cancel()


async def test_an_order_is_placed_and_canceled_over_the_websocket(alice: Any) -> None:
    placed = await alice.create_order_ws(SYMBOL, "limit", "buy", 10, 1.0)
    canceled = await alice.cancel_order_ws(placed["id"], SYMBOL)

    assert (placed["id"], "canceled") == (canceled["id"], canceled["status"])


async def test_the_order_book_shows_replayed_liquidity_and_resting_orders(alice: Any) -> None:
    await alice.create_order(SYMBOL, "limit", "buy", 10, 1.09)

    book = await alice.fetch_order_book(SYMBOL, 5)

    assert [[1.1, 1000.0], [1.09, 10.0]] == [level[:2] for level in book["bids"]]
    assert [[1.1001, 1000.0]] == [level[:2] for level in book["asks"]]


async def user_stream_is_open(client: Any) -> None:
    """Return when the venue has confirmed the subscription that the watch calls asked for."""
    await client.load_markets()
    await client.ensure_user_data_stream_ws_subscribe_signature("spot")
