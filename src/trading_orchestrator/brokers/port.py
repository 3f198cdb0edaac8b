"""The broker port: orders out, evidence in. The words and codes are FIX 4.4's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Protocol

import msgspec

from trading_orchestrator.errors import Refused, Transient, Unknown


class Side(Enum):
    """FIX tag 54."""

    BUY = "buy"
    SELL = "sell"

    __hash__ = object.__hash__  # members are single; Enum's own hash is Python, and sides are looked up all the time

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrdType(Enum):
    """FIX tag 40."""

    MARKET = "market"
    LIMIT = "limit"
    LIMIT_MAKER = "limit_maker"


class TimeInForce(Enum):
    """FIX tag 59."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class VenueStatus(Enum):
    """What a venue says an order is; our own status is derived from this and from trades, never copied.

    The last six come from venues that speak FIX; most crypto venues never say them.
    """

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DONE_FOR_DAY = "done_for_day"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    TRIGGERED = "triggered"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"

    __hash__ = object.__hash__


class NewOrder(msgspec.Struct, frozen=True):
    """An order as sent. `px` is None for MARKET."""

    cl_ord_id: str
    symbol: str
    side: Side
    ord_type: OrdType
    order_qty: Decimal
    px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC


class TradeReport(msgspec.Struct, frozen=True):
    """One execution on our account. `cl_ord_id` is "" when the venue does not say; ask by `venue_order_id` then.

    `raw_hash`: of the frame or answer that told it.
    """

    symbol: str
    trade_id: str
    venue_order_id: str
    cl_ord_id: str
    side: Side
    last_qty: Decimal
    last_px: Decimal
    fee: Decimal
    fee_asset: str
    at_ns: int
    raw_hash: str = ""


class TradeAmendment(msgspec.Struct, frozen=True):
    """The venue takes a trade back (`last_qty` 0: a bust) or changes it; `last_px` None: the price stays.

    FIX: ExecType trade cancel and trade correct. Most crypto venues never say it; then a person does (`desk bust`).
    """

    symbol: str
    trade_id: str
    last_qty: Decimal
    last_px: Decimal | None
    at_ns: int
    text: str = ""


class OrderReport(msgspec.Struct, frozen=True):
    """What the venue says of one order, with the trades it mentioned. `cum_qty` is the venue's own sum.

    `cum_quote`: what that sum is worth in the quote asset; None when the venue does not say.
    """

    symbol: str
    cl_ord_id: str
    venue_order_id: str
    status: VenueStatus
    side: Side
    ord_type: OrdType
    order_qty: Decimal
    px: Decimal | None
    cum_qty: Decimal
    at_ns: int
    source: str
    raw_hash: str = ""
    trades: tuple[TradeReport, ...] = ()
    text: str = ""
    cum_quote: Decimal | None = None


class Balance(msgspec.Struct, frozen=True):
    """One asset of the account; total = free + locked."""

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class Connected(msgspec.Struct, frozen=True):
    """The report stream is (again) up: whatever happened before may have been missed; poll."""

    at_ns: int


class OrdersPaused(Transient):
    """The venue takes no new orders for a while, so this one was not looked at; cancels and questions may go on."""

    code = "venue.orders_paused"


class OrderRefused(Refused):
    """The venue's definite no, proven to come before matching. Facts: venue_code, text."""

    code = "order.refused"


class KeyRefused(OrderRefused):
    """The venue refuses the account's key: revoked, expired, or not for this address. Nothing reached matching.

    Every further call ends the same; only a human can change that.
    """

    code = "venue.key_refused"


class DuplicateOrder(Unknown):
    """The venue says this cl_ord_id exists: ask for it and adopt it."""

    code = "order.duplicate"


class NoAnswer(Unknown):
    """Bytes may have left and no trustworthy answer came (5xx, time-out, reset, empty, mismatching echo)."""

    code = "order.no_answer"


class OrderNotFound(Refused):
    """The venue authoritatively does not know this id now. On its own this proves nothing (ORDER_PROTOCOL R4)."""

    code = "order.not_found"


class SymbolGone(Refused):
    """The venue knows no such symbol (any more). Of an order on it that proves nothing. Facts: venue_code, text."""

    code = "venue.symbol_gone"


class CancelRefused(Refused):
    """The venue has no such open order: filled, canceled or never existed; ask for the order and its trades."""

    code = "order.cancel_refused"


class Broker(Protocol):
    """One account at one venue, reached. Never retries by itself.

    Raises, from every method:
        Transient: nothing was sent, or the venue refused to look at it (rate limit, ban, clock); see retry_after_s.
        Refused: the venue said no; the reason is in `facts["text"]` and `facts["venue_code"]`.
        Unknown: it was sent and no trustworthy answer came. Ask for the order before you resend.
    """

    @property
    def validity_s(self) -> float:
        """Return how long after its time stamp the venue still accepts a request (recvWindow)."""
        ...

    @property
    def timeout_s(self) -> float:
        """Return the longest wait for one answer."""
        ...

    async def connect(self) -> None:
        """Load instruments, measure the clock offset, warm TLS: everything a first order should not wait for."""
        ...

    async def submit(self, order: NewOrder) -> OrderReport:
        """Send one order; the answer is evidence that it was accepted.

        Raises:
            OrderRefused: proven never to have reached matching.
            DuplicateOrder, NoAnswer: as their docstrings say.
        """
        ...

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        """Ask for one order to be canceled. Its OK is evidence, not the end (ORDER_PROTOCOL §7).

        Raises:
            CancelRefused: no such open order.
        """
        ...

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        """Return the venue's view of one order, found by our id.

        Raises:
            OrderNotFound: the venue answered authoritatively that it has no such order.
        """
        ...

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        """Return every open order of the account on the symbols."""
        ...

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        """Return the account's trades, oldest first, all pages: ids above `after_id`, or since a venue time.

        With both, every id above `after_id` is wanted and none is older than `since_ns`: a venue that pages by time
        begins there, one that pages by id does not need it.
        """
        ...

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        """Return every trade of one order, oldest first; the cost does not grow with the account's other trades."""
        ...

    async def balances(self) -> Sequence[Balance]:
        """Return every non-zero balance."""
        ...

    async def clock_offset_s(self) -> float:
        """Return venue time minus ours, in seconds, measured now."""
        ...

    def reports(self) -> AsyncIterator[OrderReport | TradeReport | TradeAmendment | Connected]:
        """Yield live reports; `Connected` first and after each gap. Reconnects by itself until closed."""
        ...

    async def close(self) -> None:
        """End streams and connections within 1 s even when the venue does not answer."""
        ...
