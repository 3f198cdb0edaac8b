"""The ccxt exchange behind one account: built when first needed, its errors made plain."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from trading_orchestrator.brokers.budget import ASKING, Purpose, RequestBudget
from trading_orchestrator.brokers.ccxt.answers import Answer, Reply, classify, names_no_symbol, reply_of
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
from trading_orchestrator.brokers.ccxt.tapped import SENDING, Sending, tapped
from trading_orchestrator.brokers.ccxt.weights import (
    ORDERS_ONLY,
    ccxts_limit_per_min,
    told_limit_per_min,
    told_used,
    words_of,
)
from trading_orchestrator.brokers.port import (
    CancelRefused,
    DuplicateOrder,
    KeyRefused,
    NoAnswer,
    OrderNotFound,
    OrderRefused,
    OrdersPaused,
    SymbolGone,
)
from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.config import merged, nearest, variable
from trading_orchestrator.storage.use_figures import UseFigures

CONNECTIONS_MAX = 100  # aiohttp's own limit, which ccxt leaves as it is
LONG_TIMEOUTS = 3
_CLOSE_S = 0.5
_PURPOSE_OF = {"submit": Purpose.ORDER, "cancel": Purpose.CANCEL, "countdown": Purpose.CANCEL}
_TOO_MANY = (418, 429)
CHANGES_ORDERS = ("submit", "cancel")

# At DEBUG the library logs signed URLs and the key's header: this logger stays above it whatever the root says.
_library_log = logging.getLogger(f"{__name__}.library")
_library_log.setLevel(logging.WARNING)

# Retries and the clock offset are ours: a second POST by the library would be a second order.
_OPTIONS: dict[str, Any] = {"maxRetriesOnFailure": 0, "adjustForTimeDifference": False}
# Spot only, and no calls that an order does not need.
_OPTIONS_OF: dict[str, dict[str, Any]] = {
    "binance": {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
    }
}


class VenueRefused(Refused):
    """The venue said no to a question or a cancel. Facts: venue_code, text."""

    code = "venue.refused"


class NotSent(Transient):
    """No byte left. Facts: text."""

    code = "venue.not_sent"


class NotRead(Transient):
    """The venue refused to look at it: rate limit, ban, or our clock. Facts: venue_code, text."""

    code = "venue.not_read"


class Held(Protocol):
    """A stream that lives on the client's connections."""

    def start(self) -> None: ...
    async def close(self) -> None: ...


class CcxtClient:
    """One exchange object; broker and feed of an account may share it, and closing one closes both.

    Use within one event loop. Every request passes `budget`; clients of one account share it. `requests` is what a
    pool manager may adopt: who is at a request, and how long requests waited for the budget.
    """

    def __init__(
        self,
        config: CcxtConfig,
        *,
        clock: Clock,
        budget: RequestBudget | None = None,
        variable: Callable[[str], str | None] = variable,
    ) -> None:
        self.config = config
        self.clock = clock
        self.budget = budget or RequestBudget(config.budget, clock=clock)
        self.requests = UseFigures(config.exchange, CONNECTIONS_MAX, clock, long_s=LONG_TIMEOUTS * config.timeout_s)
        self._owns_budget = budget is None
        self._variable = variable
        self._exchange: Any = None
        self._closed = False
        self._offset_s = 0.0
        self._held: list[Held] = []

    @property
    def exchange(self) -> Any:
        """Return the exchange object, importing ccxt and building it the first time (0.35 s)."""
        if self._closed:
            raise NotSent(f"{self.config.exchange}: the client is closed")
        if self._exchange is None:
            self._exchange = self._build()
        return self._exchange

    @property
    def offset_s(self) -> float:
        """Return venue time minus ours as last measured."""
        return self._offset_s

    @offset_s.setter
    def offset_s(self, value: float) -> None:
        self._offset_s = value
        self.exchange.options["timeDifference"] = round(-value * 1000)

    def venue_now_ns(self) -> int:
        """Return our estimate of the venue's wall clock."""
        return self.clock.wall_ns() + int(self._offset_s * 1e9)

    async def call(self, what: str, ask: Callable[[], Awaitable[Any]], sending: Sending | None = None) -> Any:
        """Return what `ask` returns; `what` names it in errors.

        Args:
            sending: tells the caller when the request left.

        Raises:
            Transient, Refused, Unknown: leaves of the broker port, by `answers.classify`. CancelledError passes.
        """
        sending = sending or self.sending(what)
        token = SENDING.set(sending)
        try:
            with decimal.localcontext():  # ccxt's rounding sets the context's mode and leaves it so
                return await ask()
        except OrchestratorError:
            raise
        except Exception as error:  # noqa: BLE001  any exception of a foreign library is an answer to classify
            reply = reply_of(error, sent=sending.sent)
        finally:
            SENDING.reset(token)
        if reply.http_status in _TOO_MANY and reply.code not in ORDERS_ONLY:
            self.budget.pause(reply.retry_after_s)
        # Outside the handler and without a cause: the library's own text holds the signed URL.
        raise failure(reply, self.config.exchange, what)

    def sending(self, what: str) -> Sending:
        """Return the note of one call about to be made, with its purpose."""
        return Sending(_PURPOSE_OF.get(what) or ASKING.get(), what)

    async def ready(self) -> Any:
        """Return the exchange with its markets loaded."""
        exchange = self.exchange
        if not exchange.markets:
            await self.call("load markets", exchange.load_markets)
        return exchange

    @contextlib.asynccontextmanager
    async def holding(self, stream: Held) -> AsyncIterator[None]:
        """Run a stream until the block is left or the client is closed."""
        self._held.append(stream)
        try:
            stream.start()
            yield
        finally:
            self._held.remove(stream)
            await stream.close()

    async def close(self) -> None:
        """End streams and connections within 1 s even when the venue does not answer."""
        self._closed = True
        if self._owns_budget:
            await self.budget.close()
        for stream in list(self._held):
            await stream.close()
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        session = exchange.session
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await exchange.close()
        if session is not None and not session.closed:
            with contextlib.suppress(Exception):  # closes the transports themselves, without asking the venue
                async with asyncio.timeout(_CLOSE_S / 2):
                    await session.close()
        exchange.session = exchange.tcp_connector = None

    def _build(self) -> Any:
        config = self.config
        key = config.credentials(self._variable)
        try:
            plain = exchange_class(config.exchange)
        except LookupError:
            raise Refused(
                f"exchange: expected one that ccxt knows, was {config.exchange!r}; "
                f"{nearest(config.exchange, _known_exchanges())}",
                key="exchange",
            ) from None
        exchange = tapped(plain, self.clock, self._enter, self.requests.at_it)(
            {
                "apiKey": key.api_key,
                "secret": key.secret,
                "enableRateLimit": False,
                "timeout": round(config.timeout_s * 1000),
            }
        )
        exchange.urls = merged(exchange.urls, config.urls)
        own = {**_OPTIONS, **_OPTIONS_OF.get(config.exchange, {}), "recvWindow": round(config.validity_s * 1000)}
        exchange.options = merged(merged(exchange.options, own), config.options)
        exchange.streaming = {**exchange.streaming, "keepAlive": round(config.ping_s * 1000)}
        exchange.timeout_on_exit = 0
        exchange.logger = _library_log
        exchange.answer_taps.append(self._hear_of_weights)
        self.budget.allow(ccxts_limit_per_min(exchange))
        return exchange

    async def _enter(self, cost: float, purpose: Purpose) -> None:
        with self.requests.waits():
            await self.budget.enter(cost * words_of(self.config.exchange).per_cost, purpose)

    def _hear_of_weights(self, headers: Mapping[str, str], parsed: Any) -> None:
        used = told_used(self.config.exchange, headers)
        if used is not None:
            self.budget.told_used(used)
        limit = told_limit_per_min(parsed)
        if limit is not None:
            self.budget.allow(limit)


def failure(reply: Reply, venue: str, what: str) -> OrchestratorError:
    """Return the error that a reply means to the caller."""
    answer, asks = classify(reply, venue), what not in CHANGES_ORDERS
    if asks and names_no_symbol(reply):
        answer = Answer.NO_SYMBOL
    said = f"{venue}: {what}: {reply.code or reply.http_status or ''} {reply.text}".replace("  ", " ")
    facts: dict[str, object] = {
        "venue_code": reply.code,
        "text": reply.text,
        "http_status": reply.http_status,
        "raw_hash": reply.raw_hash,
    }
    match answer:
        case Answer.NOT_SENT:
            return NotSent(said, retry_after_s=None, **facts)
        case Answer.NOT_READ:
            kind = OrdersPaused if reply.code in ORDERS_ONLY else NotRead
            return kind(said, retry_after_s=reply.retry_after_s, **facts)
        case Answer.REFUSED | Answer.NO_SYMBOL:
            of_question = SymbolGone if asks and answer is Answer.NO_SYMBOL else VenueRefused
            return OrderRefused(said, **facts) if what == "submit" else of_question(said, **facts)
        case Answer.KEY_REFUSED:
            return KeyRefused(said, **facts)
        case Answer.DUPLICATE:
            return DuplicateOrder(said, **facts)
        case Answer.NOT_FOUND:
            return OrderNotFound(said, **facts)
        case Answer.CANCEL_REFUSED:
            return CancelRefused(said, **facts)
        case _:
            return NoAnswer(said, **facts)


def _known_exchanges() -> list[str]:
    import ccxt

    return list(ccxt.exchanges)
