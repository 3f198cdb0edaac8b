"""Facts of the venue: what it accepted, traded, canceled, refused; one line each in its log.

All that the venue knows about accounts, orders and trades is a fold over these (`ledger.py`).
"""

from decimal import Decimal

import msgspec

ZERO = Decimal(0)


class Fact(msgspec.Struct, tag_field="kind", kw_only=True, gc=False):
    """One line of the log; `more` says that the next line belongs to the same request.

    Facts form no cycles, so the collector need not walk the hundred thousands of them (`gc=False`).
    """

    seq: int = 0
    at_ms: int = 0
    more: bool = False


class VenueOpened(Fact, tag="venue.opened"):
    seed: int


class AccountOpened(Fact, tag="account.opened"):
    account: str
    balances: dict[str, Decimal]


class AccountTransferred(Fact, tag="account.transferred"):
    """A deposit (positive) or a withdrawal (negative)."""

    account: str
    asset: str
    qty: Decimal


class OrderAccepted(Fact, tag="order.accepted"):
    account: str
    client_order_id: str
    order_id: int
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal
    price: Decimal
    quote_order_qty: Decimal
    locked_asset: str
    locked_qty: Decimal
    sent_ms: int | None = None
    recv_window_ms: int | None = None
    external: bool = False


class OrderTraded(Fact, tag="order.traded"):
    """One side of one trade; the counter-side has a line of its own when it is an account of ours."""

    account: str
    client_order_id: str
    order_id: int
    symbol: str
    trade_id: int
    side: str
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    cum_qty: Decimal
    cum_quote_qty: Decimal
    order_status: str


class OrderCanceled(Fact, tag="order.canceled"):
    account: str
    client_order_id: str
    order_id: int
    symbol: str
    cancel_id: str
    cum_qty: Decimal
    sent_ms: int | None = None
    external: bool = False


class OrderExpired(Fact, tag="order.expired"):
    account: str
    client_order_id: str
    order_id: int
    symbol: str
    cum_qty: Decimal
    reason: str


class RequestRefused(Fact, tag="request.refused"):
    """A request to place or cancel that the venue refused."""

    account: str | None
    call: str
    client_order_id: str | None
    code: int
    text: str
    sent_ms: int | None = None


class FaultActed(Fact, tag="fault.acted"):
    fault_id: int
    effect: str
    call: str
    account: str | None
    client_order_id: str | None


class StreamOpened(Fact, tag="stream.opened"):
    """A client was let in; `stream` is user_stream or market_stream."""

    stream: str


class TradeBusted(Fact, tag="trade.busted"):
    """The venue took one side of a trade back: it is in no list any more."""

    account: str
    client_order_id: str
    order_id: int
    symbol: str
    trade_id: int


class TradeCorrected(Fact, tag="trade.corrected"):
    """The venue changed the price of one side of a trade."""

    account: str
    client_order_id: str
    order_id: int
    symbol: str
    trade_id: int
    price: Decimal


class CountersSet(Fact, tag="counters.set"):
    """The venue's ids go on from here; what had these ids and higher ones is forgotten, balances stay."""

    symbol: str
    next_order_id: int
    next_trade_id: int


class TradeIdsReserved(Fact, tag="trade_ids.reserved"):
    """Ids below `up_to` may have been given to market trades, which have no lines here."""

    symbol: str
    up_to: int


AnyFact = (
    VenueOpened
    | AccountOpened
    | AccountTransferred
    | OrderAccepted
    | OrderTraded
    | OrderCanceled
    | OrderExpired
    | RequestRefused
    | FaultActed
    | StreamOpened
    | TradeBusted
    | TradeCorrected
    | CountersSet
    | TradeIdsReserved
)
