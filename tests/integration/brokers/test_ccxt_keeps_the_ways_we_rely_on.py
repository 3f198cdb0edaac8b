"""What ccxt makes of each reply: fails when a new version changes what we rely on.

ORDER_PROTOCOL §4 lists these ways. The replies are recorded ones, served by a bare socket, so that nothing but
ccxt stands between them and us.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

import pytest

from trading_orchestrator.brokers.budget import BudgetSpent, Purpose, VenuePaused, last_look
from trading_orchestrator.brokers.ccxt.answers import Answer, classify, reply_of
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.client_ids import ASKED_BY_CLIENT_ID, DERIVATIVES_ONLY, UNFIT
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
from trading_orchestrator.brokers.ccxt.tapped import tapped
from trading_orchestrator.brokers.ccxt.unified import TAKES_UNTIL
from trading_orchestrator.brokers.ccxt.weights import ccxts_limit_per_min, words_of
from trading_orchestrator.kernel.clock import SystemClock

SYMBOL = "EUR/USDT"
ORDER = {"symbol": "EURUSDT", "side": "BUY", "type": "MARKET", "quantity": "1", "newClientOrderId": "tx-1"}
DOCSTRING = re.compile(r'"""(.|\n)*?"""')
READS_CLIENT_ID = re.compile(
    r"safe_\w+\(\s*params\w*,\s*(\[[^\]]*)?('\w+',\s*)*'clientOrderId'"
    r"|params\w*\['clientOrderId'\]|'clientOrderId' in params"
)
HANG, RESET, CUT = "hang", "reset", "cut"

# What the wire says, the class ccxt raises, what we conclude.
WAYS: list[tuple[str, int, str, str, Answer]] = [
    ("hang", 0, HANG, "RequestTimeout", Answer.AMBIGUOUS),
    ("reset", 0, RESET, "ExchangeNotAvailable", Answer.AMBIGUOUS),
    ("cut short", 200, CUT, "ExchangeError", Answer.AMBIGUOUS),
    ("504", 504, "<html>504</html>", "RequestTimeout", Answer.AMBIGUOUS),
    ("-1007", 408, '{"code":-1007,"msg":"Timeout waiting."}', "RequestTimeout", Answer.AMBIGUOUS),
    ("503 -1000", 503, '{"code":-1000,"msg":"An unknown error."}', "OperationFailed", Answer.AMBIGUOUS),
    ("502 html", 502, "<html>502</html>", "ExchangeNotAvailable", Answer.AMBIGUOUS),
    ("429", 429, '{"code":-1003,"msg":"Too many requests."}', "DDoSProtection", Answer.NOT_READ),
    ("418", 418, '{"code":-1003,"msg":"Banned."}', "DDoSProtection", Answer.NOT_READ),
    ("-1015", 429, '{"code":-1015,"msg":"Too many new orders."}', "DDoSProtection", Answer.NOT_READ),
    ("-1021", 400, '{"code":-1021,"msg":"Outside of the recvWindow."}', "InvalidNonce", Answer.NOT_READ),
    (
        "-2010 balance", 400,
        '{"code":-2010,"msg":"Account has insufficient balance for requested action."}',
        "InsufficientFunds", Answer.REFUSED,
    ),
    ("-2010 double", 400, '{"code":-2010,"msg":"Duplicate order sent."}', "InvalidOrder", Answer.DUPLICATE),
    ("-2011", 400, '{"code":-2011,"msg":"Unknown order sent."}', "OrderNotFound", Answer.CANCEL_REFUSED),
    ("-2013", 400, '{"code":-2013,"msg":"Order does not exist."}', "OrderNotFound", Answer.NOT_FOUND),
    ("-1121", 400, '{"code":-1121,"msg":"Invalid symbol."}', "BadSymbol", Answer.NO_SYMBOL),
    ("-2015", 401, '{"code":-2015,"msg":"Invalid API-key, IP."}', "AuthenticationError", Answer.KEY_REFUSED),
]  # fmt: skip


class Wire:
    """A socket that answers every request alike and counts the requests."""

    def __init__(self) -> None:
        self.status, self.body = 200, "{}"
        self.requests: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._release = asyncio.Event()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._release.set()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                self.requests.append(head + await reader.readexactly(int(sizes[0].split(b":")[1]) if sizes else 0))
                if self.body == HANG:
                    await self._release.wait()
                if self.body in (HANG, RESET):
                    return
                body = b'{"symbol":"EUR' if self.body == CUT else self.body.encode()
                size = len(body) + (100 if self.body == CUT else 0)
                writer.write(b"HTTP/1.1 %d Said\r\nContent-Type: application/json\r\n" % self.status)
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (size, body))
                if self.body == CUT:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    await wire.close()


@pytest.fixture
async def exchange(wire: Wire) -> AsyncIterator[Any]:
    base = f"http://127.0.0.1:{await wire.open()}/api/v3"
    config = CcxtConfig(api_key="k", secret="s", timeout_s=0.3, urls={"api": {"private": base, "public": base}})
    client = CcxtClient(config, clock=SystemClock())
    yield client.exchange
    await client.close()


@pytest.mark.parametrize(
    ("status", "body", "raises", "proves"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS]
)
async def test_each_reply_raises_its_class_and_is_sent_once(
    wire: Wire, exchange: Any, status: int, body: str, raises: str, proves: Answer
) -> None:
    wire.status, wire.body = status, body

    with pytest.raises(Exception) as caught:
        await exchange.private_post_order(dict(ORDER))

    assert raises == type(caught.value).__name__
    assert proves is classify(reply_of(caught.value, sent=True), "binance")
    assert 1 == len(wire.requests), "a library that posts again makes a second order"


@pytest.mark.parametrize("body", ["", '{"symbol":"EURUSDT","orderId":28,"cl'])
async def test_an_empty_or_truncated_200_raises_nothing_and_is_no_order(wire: Wire, exchange: Any, body: str) -> None:
    wire.status, wire.body = 200, body

    answer = await exchange.private_post_order(dict(ORDER))

    assert body == answer


@pytest.fixture
def unified(exchange: Any) -> Any:
    """The exchange with one market, so that ccxt's unified calls can be made on the wire."""
    market = {
        "id": "EURUSDT", "symbol": SYMBOL, "base": "EUR", "quote": "USDT", "type": "spot", "spot": True,
        "active": True, "precision": {"amount": 0.1, "price": 0.0001}, "info": {"orderTypes": ["LIMIT", "MARKET"]},
    }  # fmt: skip
    exchange.set_markets([exchange.safe_market_structure(market)])
    return exchange


@pytest.mark.parametrize("body", ["", '{"symbol":"EURUSDT","orderId":28,"cl'])
async def test_ccxt_makes_an_order_without_an_id_of_an_empty_or_truncated_200(
    wire: Wire, unified: Any, body: str
) -> None:
    wire.status, wire.body = 200, body

    order = await unified.create_order(SYMBOL, "limit", "buy", "10", "1.0", {"clientOrderId": "tx-1"})

    assert (None, None) == (order["id"], order["status"])


async def test_what_remains_of_a_canceled_order_is_not_zero_in_ccxt(wire: Wire, unified: Any) -> None:
    """So nothing of ours may read `remaining`: what may yet trade follows from the status."""
    wire.body = (
        '{"symbol":"EURUSDT","orderId":28,"clientOrderId":"tx-1","origQty":"10","executedQty":"4",'
        '"cummulativeQuoteQty":"4","status":"CANCELED","side":"BUY","type":"LIMIT","price":"1.0","time":1}'
    )

    order = await unified.fetch_order(None, SYMBOL, {"clientOrderId": "tx-1"})

    assert ("canceled", 4.0, 6.0) == (order["status"], order["filled"], order["remaining"])


async def test_no_one_listening_is_proven_never_sent(wire: Wire, exchange: Any) -> None:
    await wire.close()

    with pytest.raises(Exception) as caught:
        await exchange.private_post_order(dict(ORDER))

    assert "ExchangeNotAvailable" == type(caught.value).__name__
    assert Answer.NOT_SENT is classify(reply_of(caught.value, sent=True), "binance")


async def test_the_last_look_comes_after_the_time_stamp(wire: Wire, exchange: Any) -> None:
    """Stopped between a look and the stamp, a process would wake to a fresh stamp and a dead lease (I9)."""
    stamped, may_act = exchange.sign, [True]

    def slept_before_the_stamp(*request: Any) -> Any:
        may_act[0] = False
        return stamped(*request)

    def look() -> None:
        if not may_act[0]:
            raise BudgetSpent("not sent: the lease ended")

    exchange.sign = slept_before_the_stamp
    with pytest.raises(BudgetSpent), last_look(look):
        await exchange.private_post_order(dict(ORDER))

    assert [] == wire.requests


async def test_every_request_passes_the_budget_before_it_is_signed(wire: Wire) -> None:
    base = f"http://127.0.0.1:{await wire.open()}/api/v3"
    client = CcxtClient(
        CcxtConfig(api_key="k", secret="s", urls={"api": {"private": base, "public": base}}), clock=SystemClock()
    )
    client.budget.pause(60.0)

    with pytest.raises(VenuePaused):
        await client.call("order", lambda: client.exchange.private_get_order({"symbol": "EURUSDT"}))
    with pytest.raises(VenuePaused):
        await client.call("load markets", client.exchange.load_markets)

    assert [] == wire.requests
    await client.close()


@pytest.mark.parametrize(
    ("method", "params", "weight"),
    [
        ("private_post_order", {}, 1), ("private_delete_order", {}, 1), ("private_get_order", {}, 4),
        ("private_get_openorders", {"symbol": "EURUSDT"}, 6), ("private_get_openorders", {}, 80),
        ("private_get_mytrades", {}, 20), ("private_get_account", {}, 20), ("public_get_exchangeinfo", {}, 20),
        ("public_get_time", {}, 1), ("public_get_ticker_bookticker", {"symbol": "EURUSDT"}, 2),
        ("public_get_klines", {}, 2),
    ],
)  # fmt: skip
async def test_ccxts_costs_are_binances_weights(
    wire: Wire, exchange: Any, method: str, params: dict[str, str], weight: int
) -> None:
    asked: list[float] = []

    async def gate(cost: float, purpose: Purpose) -> None:
        asked.append(cost * words_of("binance").per_cost)

    tapped_class = tapped(exchange_class("binance"), SystemClock(), gate, lambda what: nullcontext())
    own = tapped_class({"apiKey": "k", "secret": "s", "enableRateLimit": False})
    own.urls = exchange.urls
    await getattr(own, method)(params)

    assert [weight] == asked
    assert 6000 == ccxts_limit_per_min(own)
    await own.close()


def test_the_exchanges_asked_by_our_ids_are_those_that_ccxts_source_can() -> None:
    """Where a new ccxt reads the id in both calls, or stops to, this list is to be tried and changed."""
    import ccxt.async_support as plain

    names = ("create_order", "create_order_request", "create_spot_order_request", "order_request")

    def reads(exchange: type[Any], *methods: str) -> bool:
        sources = [inspect.getsource(getattr(exchange, name)) for name in methods if hasattr(exchange, name)]
        return any(READS_CLIENT_ID.search(DOCSTRING.sub("", source, count=1)) for source in sources)

    classes = {name: getattr(plain, name) for name in plain.exchanges}
    able = {
        name
        for name, exchange in classes.items()
        if exchange().has.get("fetchOrder") and reads(exchange, "fetch_order") and reads(exchange, *names)
    }

    assert able == ASKED_BY_CLIENT_ID | DERIVATIVES_ONLY | UNFIT.keys()
    assert {name for name in able if not classes[name]().has.get("spot")} == DERIVATIVES_ONLY
    assert {name for name in able if not classes[name]().has.get("fetchMyTrades")} == {"bithumb"}


def test_the_exchanges_asked_up_to_a_time_are_those_that_ccxts_source_can() -> None:
    import ccxt.async_support as plain

    sources = {name: inspect.getsource(getattr(plain, name).fetch_my_trades) for name in ASKED_BY_CLIENT_ID}

    assert {name for name, source in sources.items() if "'until'" in source or "_until_" in source} == TAKES_UNTIL


def test_ccxt_tells_how_much_time_a_page_of_trades_spans() -> None:
    spans = {name: exchange_class(name)().features["spot"]["fetchMyTrades"]["untilDays"] for name in ("htx", "kucoin")}

    assert {"htx": 2, "kucoin": 7} == spans


async def test_a_request_is_signed_once_with_our_window_and_offset(wire: Wire, exchange: Any) -> None:
    exchange.options["timeDifference"] = 5_000_000
    exchange.milliseconds = lambda: 1_700_000_000_000

    await exchange.private_post_order(dict(ORDER))

    (sent,) = wire.requests
    for part in (b"recvWindow=1000", b"timestamp=1699995000000", b"newClientOrderId=tx-1", b"quantity=1&"):
        assert 1 == sent.count(part), part


async def test_a_frame_reaches_the_taps_before_ccxt_and_a_bad_one_ends_the_connection(exchange: Any) -> None:
    seen: list[object] = []

    class Connection:
        error: Exception | None = None

        def on_error(self, error: Exception) -> None:
            self.error = error

    def tap(frame: Any) -> bool:
        seen.append(frame["e"])
        return bool(frame["e"] == "mine")

    exchange.frame_taps.append(tap)
    connection = Connection()
    exchange.handle_message(connection, {"e": "mine"})
    assert (["mine"], None) == (seen, connection.error)

    exchange.handle_message(connection, {})
    assert isinstance(connection.error, KeyError)


@pytest.mark.parametrize(
    "name",
    [
        "authenticate", "watch_orders", "watch_my_trades", "watch_bids_asks", "watch_trades_for_symbols",
        "private_post_order", "private_delete_order", "private_get_order", "private_get_openorders",
        "private_get_mytrades", "private_get_account", "public_get_time", "handle_message", "on_connected",
        "public_get_ticker_bookticker", "public_get_klines", "sapi_get_account_apirestrictions", "fetch2",
        "calculate_rate_limiter_cost", "cancel_all_orders_after",
    ],
)  # fmt: skip
def test_the_methods_we_call_are_there(name: str) -> None:
    client = CcxtClient(CcxtConfig(), clock=SystemClock())

    found: Callable[..., Any] = getattr(client.exchange, name)

    assert callable(found)
