"""What the venue refuses it refuses as Binance Spot does: code, words, HTTP status, and ccxt's class for it."""

from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import pytest

from tests.integration.venue.conftest import MakeClient
from tests.venue_process import VenueProcess

SYMBOL = "EUR/USDT"


async def test_a_duplicate_of_an_open_order_is_refused(alice: Any) -> None:
    await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": "twin"})

    words = await refusal(
        ccxt.InvalidOrder, lambda: alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, {"newClientOrderId": "twin"})
    )

    assert "Duplicate order sent." in words


async def test_the_id_of_a_closed_order_may_be_used_again(alice: Any) -> None:
    first = await alice.create_order(SYMBOL, "market", "buy", 10, None, {"newClientOrderId": "again"})
    second = await alice.create_order(SYMBOL, "market", "buy", 20, None, {"newClientOrderId": "again"})

    found = await alice.fetch_order(None, SYMBOL, {"origClientOrderId": "again"})

    assert first["id"] != second["id"]
    assert second["id"] == found["id"]


async def test_more_than_the_balance_is_refused(venue: VenueProcess, make_client: MakeClient) -> None:
    poor = make_client(venue, "poor")

    words = await refusal(ccxt.InsufficientFunds, lambda: poor.create_order(SYMBOL, "limit", "buy", 100, 1.0))

    assert "Account has insufficient balance for requested action." in words


async def test_a_post_only_order_that_would_take_is_refused(alice: Any) -> None:
    words = await refusal(
        ccxt.OrderImmediatelyFillable,
        lambda: alice.create_order(SYMBOL, "limit", "buy", 10, 1.2, {"postOnly": True}),
    )

    assert "Order would immediately match and take." in words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"price": "1.0000001"}, '{"code":-1013,"msg":"Filter failure: PRICE_FILTER"}'),
        ({"quantity": "10.05"}, '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}'),
        ({"quantity": "1"}, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'),
        ({"symbol": "EURXXX"}, '{"code":-1121,"msg":"Invalid symbol."}'),
        ({"side": "HOLD"}, '{"code":-1117,"msg":"Invalid side."}'),
        ({"type": "STOP"}, '{"code":-1116,"msg":"Invalid orderType."}'),
        ({"timeInForce": "DAY"}, '{"code":-1115,"msg":"Invalid timeInForce."}'),
        ({"price": "1e0"}, "-1100"),
        ({"newClientOrderId": "x" * 37}, "-1100"),
        ({"quantity": "10.123456789"}, "-1111"),
    ],
)
async def test_a_wrong_parameter_is_refused(alice: Any, changed: dict[str, str], words: str) -> None:
    order = {
        "symbol": "EURUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "10",
        "price": "1.0",
    }

    said = await refusal(ccxt.BaseError, lambda: alice.private_post_order(order | changed))

    assert words in said


async def test_canceling_what_is_not_open_is_an_unknown_order(alice: Any) -> None:
    filled = await alice.create_order(SYMBOL, "market", "buy", 10)

    words = await refusal(ccxt.OrderNotFound, lambda: alice.cancel_order(filled["id"], SYMBOL))

    assert '{"code":-2011,"msg":"Unknown order sent."}' in words


async def test_asking_for_what_never_was_says_it_does_not_exist(alice: Any) -> None:
    await alice.load_markets()

    words = await refusal(
        ccxt.OrderNotFound, lambda: alice.fetch_order(None, SYMBOL, {"origClientOrderId": "never-was"})
    )

    assert '{"code":-2013,"msg":"Order does not exist."}' in words


async def test_an_order_of_another_account_does_not_exist(alice: Any, bob: Any) -> None:
    order = await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0)
    await bob.load_markets()

    assert "-2013" in await refusal(ccxt.OrderNotFound, lambda: bob.fetch_order(order["id"], SYMBOL))
    assert "-2011" in await refusal(ccxt.OrderNotFound, lambda: bob.cancel_order(order["id"], SYMBOL))


async def test_a_wrong_secret_is_an_invalid_signature(venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(venue, "alice", secret="not-alices-secret")

    words = await refusal(ccxt.AuthenticationError, client.fetch_balance)

    assert '{"code":-1022,"msg":"Signature for this request is not valid."}' in words


async def test_an_unknown_key_is_invalid(venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(venue, "alice", apiKey="nobodys-key")

    words = await refusal(ccxt.AuthenticationError, client.fetch_balance)

    assert '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}' in words


async def test_a_revoked_key_is_invalid_until_it_is_given_back(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    venue.control("POST", "keys", {"account": "alice", "revoked": True})

    words = await refusal(ccxt.AuthenticationError, alice.private_get_account)
    venue.control("POST", "keys", {"account": "alice", "revoked": False})

    assert "-2015" in words
    assert "SPOT" == (await alice.private_get_account())["accountType"]


async def test_a_request_older_than_its_window_is_refused_and_the_refusal_is_in_the_log(
    venue: VenueProcess, alice: Any
) -> None:
    now_ms = await alice.fetch_time()
    late = {"newClientOrderId": "too-late", "timestamp": now_ms - 1_500, "recvWindow": 1_000}

    words = await refusal(ccxt.InvalidNonce, lambda: alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, late))

    said = venue.log("request.refused")[-1]
    assert '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}' in words
    assert ("alice", "too-late", -1021, now_ms - 1_500) == (
        said["account"],
        said["client_order_id"],
        said["code"],
        said["sent_ms"],
    )


async def test_a_request_within_its_window_is_taken(alice: Any) -> None:
    now_ms = await alice.fetch_time()
    young = {"timestamp": now_ms - 1_500, "recvWindow": 60_000}

    assert "open" == (await alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, young))["status"]


async def test_a_request_from_the_future_is_refused(alice: Any) -> None:
    soon = {"timestamp": await alice.fetch_time() + 60_000}

    words = await refusal(ccxt.InvalidNonce, lambda: alice.create_order(SYMBOL, "limit", "buy", 10, 1.0, soon))

    assert "1000ms ahead of the server's time." in words


async def test_a_wrong_secret_opens_no_user_stream(venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(venue, "alice", secret="not-alices-secret")

    with pytest.raises(KeyError) as caught:  # ccxt 4.5.90 trips over its own clean-up and hides the refusal below it
        await client.watch_orders(SYMBOL)

    assert "-1022" in str(caught.value.__context__)


async def refusal(kind: type[Exception], ask: Callable[[], Awaitable[Any]]) -> str:
    """Return the words of the exception of this kind that the call raises."""
    with pytest.raises(kind) as caught:
        await ask()
    return str(caught.value)
