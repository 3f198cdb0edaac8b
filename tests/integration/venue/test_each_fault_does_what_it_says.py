"""Faults of the script: what the client sees of an order, and what the venue truly did with it."""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

import ccxt
import pytest

from tests.integration.venue.conftest import MakeClient
from tests.venue_process import VenueProcess

SYMBOL = "EUR/USDT"


async def place(client: Any, client_order_id: str) -> Any:
    return await client.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": client_order_id})


def accepted(venue: VenueProcess, client_order_id: str) -> int:
    """Return how many orders with the id the venue's log says it accepted."""
    return len([fact for fact in venue.log("order.accepted") if fact["client_order_id"] == client_order_id])


@pytest.mark.parametrize(
    ("fault", "extra", "seen", "taken"),
    [
        ("F2", {}, ccxt.ExchangeNotAvailable, 1),
        ("F3", {}, ccxt.OperationFailed, 1),
        ("F3", {"status": 504, "code": -1007}, ccxt.RequestTimeout, 1),
        ("F3", {"code": -1007}, ccxt.RequestTimeout, 1),
        ("F3", {"effect": "html"}, ccxt.ExchangeNotAvailable, 1),
        # Surprise: ccxt 4.5.90 calls an answer that ends too early a bare ExchangeError, as if it were a refusal.
        ("F3", {"effect": "cut_short"}, ccxt.ExchangeError, 1),
        ("F4", {}, ccxt.ExchangeNotAvailable, 0),
        ("F8", {}, ccxt.DDoSProtection, 0),
        ("F8", {"status": 418}, ccxt.DDoSProtection, 0),
        ("F8", {"code": -1021}, ccxt.InvalidNonce, 0),
        ("F8", {"code": -1008}, ccxt.BaseError, 0),
    ],
)
async def test_the_client_sees_an_error_and_the_venue_knows_the_truth(
    venue: VenueProcess, alice: Any, fault: str, extra: dict[str, Any], seen: type[Exception], taken: int
) -> None:
    await alice.load_markets()
    name = f"{fault}-{'-'.join(str(value) for value in extra.values())}".rstrip("-")
    venue.fault(fault, client_order_id=name, **extra)

    with pytest.raises(seen):
        await place(alice, name)

    assert taken == accepted(venue, name)
    assert [1] == [one["acted"] for one in venue.control("GET", "faults")["faults"]][-1:]
    await place(alice, f"{name}-after")


@pytest.mark.parametrize("effect", ["empty", "truncate"])
async def test_an_answer_without_sense_is_an_order_without_id_to_ccxt(
    venue: VenueProcess, alice: Any, effect: str
) -> None:
    await alice.load_markets()
    venue.fault("F3", effect=effect, client_order_id=f"F3-{effect}")

    order = await place(alice, f"F3-{effect}")

    assert order["id"] is None
    assert 1 == accepted(venue, f"F3-{effect}")


async def test_an_accepted_order_may_never_be_answered(venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(venue, "alice", timeout=300)
    await client.load_markets()
    venue.fault("F1", client_order_id="silent")

    with pytest.raises(ccxt.RequestTimeout):
        await place(client, "silent")

    assert 1 == accepted(venue, "silent")
    assert "open" == (await client.fetch_order(None, SYMBOL, {"origClientOrderId": "silent"}))["status"]


async def test_a_request_may_arrive_after_it_was_not_found(venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(venue, "alice", timeout=200)
    await client.load_markets()
    venue.fault("F5", client_order_id="latecomer", delay_ms=600)

    with pytest.raises(ccxt.RequestTimeout):
        await place(client, "latecomer")
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order(None, SYMBOL, {"origClientOrderId": "latecomer"})

    assert "open" == (await arrives(client, "latecomer"))["status"]


async def test_a_late_request_outside_its_window_is_refused(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault("F5", client_order_id="stale", delay_ms=300)

    with pytest.raises(ccxt.InvalidNonce):
        await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": "stale", "recvWindow": 100})

    assert 0 == accepted(venue, "stale")


async def test_queries_by_id_fail_for_a_while_and_nothing_else_does(venue: VenueProcess, alice: Any) -> None:
    order = await place(alice, "asked-for")
    venue.fault("F7", for_s=60)

    with pytest.raises(ccxt.OperationFailed):
        await alice.fetch_order(order["id"], SYMBOL)

    assert [order["id"]] == [one["id"] for one in await alice.fetch_open_orders(SYMBOL)]
    venue.control("DELETE", "faults")
    assert "open" == (await alice.fetch_order(order["id"], SYMBOL))["status"]


async def test_a_fault_strikes_the_nth_call_only(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault("F4", nth=2)

    results = [await outcome(place(alice, f"nth-{number}")) for number in (1, 2, 3)]

    assert ["open", "ExchangeNotAvailable", "open"] == results


async def test_a_probable_fault_strikes_some_calls_and_its_seed_decides_which(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault("F3", probability=0.5)

    results = [await outcome(place(alice, f"dice-{number}")) for number in range(30)]

    assert {"open", "OperationFailed"} == set(results)
    assert 30 == sum(accepted(venue, f"dice-{number}") for number in range(30))


async def test_an_answer_may_be_late(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.fault(effect="delay_answer", call="order.place", delay_ms=300)

    slow = asyncio.create_task(place(alice, "slow-answer"))
    await arrives(alice, "slow-answer")

    assert not slow.done()
    assert "open" == (await slow)["status"]


async def test_the_429_says_how_long_to_wait(venue: VenueProcess, alice: Any) -> None:
    venue.fault("F8", call="time", retry_after_s=7)

    with pytest.raises(ccxt.DDoSProtection) as caught:
        await alice.fetch_time()

    assert '"code":-1003' in str(caught.value)
    assert "7" == alice.last_response_headers["Retry-After"]


async def test_one_lost_frame_is_lost_and_the_stream_goes_on(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")
    orders = asyncio.create_task(alice.watch_orders(SYMBOL))
    venue.fault("F12", client_order_id="unheard")

    await place(alice, "unheard")
    await place(alice, "heard")

    assert ["heard"] == [order["clientOrderId"] for order in await orders]


async def test_streams_may_be_closed_and_can_be_opened_again(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")
    orders = asyncio.create_task(alice.watch_orders(SYMBOL))
    await asyncio.sleep(0)

    assert {"closed": 1} == venue.control("POST", "streams/close", {"kind": "user"})

    with pytest.raises(ccxt.NetworkError):
        await orders
    orders = asyncio.create_task(alice.watch_orders(SYMBOL))
    await alice.ensure_user_data_stream_ws_subscribe_signature("spot")
    await place(alice, "after-the-close")
    assert "after-the-close" == (await orders)[-1]["clientOrderId"]


async def test_a_human_trades_on_the_same_account(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    order = {"symbol": "EURUSDT", "side": "BUY", "type": "MARKET", "quantity": "15", "newClientOrderId": "web_1"}

    venue.control("POST", "orders", {"account": "alice"} | order)

    trade = (await alice.fetch_my_trades(SYMBOL))[-1]
    assert 15.0 == trade["amount"]
    assert [True] == [fact["external"] for fact in venue.log("order.accepted") if fact["client_order_id"] == "web_1"]


async def test_a_deposit_changes_the_balance(venue: VenueProcess, alice: Any) -> None:
    before = (await alice.fetch_balance())["USDT"]["free"]

    venue.control("POST", "transfers", {"account": "alice", "asset": "USDT", "qty": "250"})

    assert before + 250 == (await alice.fetch_balance())["USDT"]["free"]


def test_wrong_use_of_the_control_port_says_what_was_expected(venue: VenueProcess) -> None:
    with pytest.raises(ValueError, match="expected an effect named one of"):
        venue.fault(effect="explode")
    with pytest.raises(ValueError, match="expected a fault named one of"):
        venue.fault("F99")
    with pytest.raises(ValueError, match="unknown field"):
        venue.fault("F1", chance=1)


async def outcome(placing: Awaitable[Any]) -> str:
    """Return the order's status, or the name of what was raised instead."""
    try:
        return str((await placing)["status"])
    except ccxt.BaseError as error:
        return type(error).__name__


async def arrives(client: Any, client_order_id: str) -> Any:
    """Return the order as soon as the venue knows it."""
    while True:
        try:
            return await client.fetch_order(None, SYMBOL, {"origClientOrderId": client_order_id})
        except ccxt.OrderNotFound:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
def test_a_reset_is_a_real_tcp_reset(venue: VenueProcess, effect: str) -> None:
    venue.fault(effect=effect, call="time")

    with socket.create_connection(("127.0.0.1", venue.port), timeout=5) as client:
        client.sendall(b"GET /api/v3/time HTTP/1.1\r\nHost: venue\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
