"""The risk check: a list of small rules, one a limit; the order of the list is the policy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.positions.exposure import Exposure
from trading_orchestrator.trading.risk.limits import RiskLimits, RiskRefused

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Case:
    """An order before it exists, with all it is judged by.

    `now_ns`: the desk's wall clock (UTC). `replacing`: the order whose place it would take, if any.
    `is_held`: the symbol's balances differed at the start, and nobody has looked again. `is_spared`: its strategy is
    not critical, and its node is short of something.
    """

    order: NewOrder
    book: Book
    quote: Quote | None
    limits: RiskLimits
    now_ns: int
    replacing: Order | None = None
    is_held: bool = False
    is_spared: bool = False

    @property
    def exposure(self) -> Exposure:
        """Return the exposure without the order whose place this one takes: the two never work together."""
        exposure, freed = self.book.exposure(self.order.symbol), self.replacing
        if freed is None:
            return exposure
        if freed.side is Side.BUY:
            return replace(exposure, buy_qty=exposure.buy_qty - freed.at_risk_qty)
        return replace(exposure, sell_qty=exposure.sell_qty - freed.at_risk_qty)


class Rule(Protocol):
    def __call__(self, case: Case) -> RiskRefused | None:
        """Return the refusal, or None to let the next rule judge."""
        ...


def check(
    order: NewOrder,
    book: Book,
    quote: Quote | None,
    limits: RiskLimits,
    now_ns: int,
    *,
    replacing: Order | None = None,
    is_held: bool = False,
    is_spared: bool = False,
) -> RiskRefused | None:
    """Return why the order must not be sent, or None. The book must have seen every earlier decision.

    Args:
        quote: the newest quote of the symbol; without one no order passes.
        now_ns: the desk's wall clock (UTC), the one that stamps facts.
        replacing: the order whose place it takes, if any: what that one reserves is free for it.
        is_held: the symbol takes no entries until its balances were looked at twice.
        is_spared: its strategy takes no entries while the node is short of something.
    """
    case = Case(order, book, quote, limits, now_ns, replacing, is_held, is_spared)
    for rule in RULES:
        refusal = rule(case)
        if refusal is not None:
            return refusal
    return None


def well_formed(case: Case) -> RiskRefused | None:
    order = case.order
    if (refusal := no_number(order.order_qty, order.px)) is not None:
        return refusal
    if order.order_qty <= ZERO:
        return RiskRefused("risk.order_qty", f"expected a quantity above 0, was {plain(order.order_qty)}")
    if order.ord_type is not OrdType.MARKET and (order.px is None or order.px <= ZERO):
        return RiskRefused("risk.px", f"expected a price above 0 for a {order.ord_type.value} order, was {order.px}")
    return None


def no_number(qty: Decimal, px: Decimal | None) -> RiskRefused | None:
    """Return why terms are no terms: NaN and infinity come from a strategy's arithmetic, and cannot be compared."""
    if not qty.is_finite():
        return RiskRefused("risk.order_qty", f"expected a quantity above 0, was {qty}")
    if px is not None and not px.is_finite():
        return RiskRefused("risk.px", f"expected a price above 0, was {px}")
    return None


def mode_allows(case: Case) -> RiskRefused | None:
    mode = case.book.mode
    if mode == "normal" or (mode == "reduce_only" and _reduces(case)):
        return None
    return RiskRefused("risk.mode", f"desk {case.book.desk} is {mode}: this order may not be sent", mode=mode)


def symbol_is_free(case: Case) -> RiskRefused | None:
    """A blocked symbol takes no entries; the way out stays open."""
    code = case.book.blocked.get(case.order.symbol)
    if code is None or _reduces(case):
        return None
    return RiskRefused("risk.symbol_blocked", f"{case.order.symbol} is blocked by {code}", blocked_by=code)


def balances_agree(case: Case) -> RiskRefused | None:
    """Over in a moment: the second look blocks the symbol, or lets it go."""
    if not case.is_held or _reduces(case):
        return None
    symbol = case.order.symbol
    return RiskRefused("risk.balances_differ", f"{symbol}: balances differed at the start, and are being looked at")


def node_has_room(case: Case) -> RiskRefused | None:
    if not case.is_spared or _reduces(case):
        return None
    return RiskRefused("risk.load_shed", "the node is short of something: what is not critical opens nothing new")


def price_is_known(case: Case) -> RiskRefused | None:
    if case.quote is not None and case.quote.bid_px > ZERO and case.quote.ask_px > ZERO:
        return None
    return RiskRefused("risk.no_quote", f"no quote of {case.order.symbol} to judge a price by")


def max_order_qty(case: Case) -> RiskRefused | None:
    return _at_most("risk.max_order_qty", "order quantity", case.order.order_qty, case.limits.max_order_qty)


def max_order_notional(case: Case) -> RiskRefused | None:
    notional = reserved_notional(case.order, case.quote)
    return _at_most("risk.max_order_notional", "order notional", notional, case.limits.max_order_notional)


def price_collar(case: Case) -> RiskRefused | None:
    """Only a price that gives money away is stopped: a bid far below the market harms nobody."""
    px, quote = case.order.px, case.quote
    if px is None or quote is None or case.order.ord_type is OrdType.MARKET:
        return None
    ratio = case.limits.price_collar_ratio
    if case.order.side is Side.BUY:
        return _at_most("risk.price_collar", "buy price", px, quote.ask_px * (1 + ratio))
    lowest = quote.bid_px * (1 - ratio)
    if px >= lowest:
        return None
    return RiskRefused(
        "risk.price_collar", f"expected a sell price of at least {plain(lowest)}, was {plain(px)}", limit=plain(lowest)
    )


def max_position_qty(case: Case) -> RiskRefused | None:
    """Both sides at worst: what is in doubt counts as if it filled. An order that leads back inside may pass."""
    exposure, qty = case.exposure, case.order.order_qty
    if case.order.side is Side.BUY:
        return _at_most(
            "risk.max_position_qty",
            "position if every buy fills",
            exposure.highest_qty + qty,
            case.limits.max_position_qty,
        )
    return _at_most(
        "risk.max_position_qty", "short if every sell fills", qty - exposure.lowest_qty, case.limits.max_position_qty
    )


def max_open_orders(case: Case) -> RiskRefused | None:
    takes_a_place = case.replacing is not None and not case.replacing.is_closed
    count = case.book.open_order_count + (0 if takes_a_place else 1)
    return _at_most("risk.max_open_orders", "open orders", Decimal(count), Decimal(case.limits.max_open_orders))


def max_orders_per_s(case: Case) -> RiskRefused | None:
    count = case.book.intended_within(case.now_ns, SECOND_NS) + 1
    return _at_most(
        "risk.max_orders_per_s", "orders in a second", Decimal(count), Decimal(case.limits.max_orders_per_s)
    )


RULES: tuple[Rule, ...] = (
    well_formed,
    mode_allows,
    symbol_is_free,
    balances_agree,
    node_has_room,
    price_is_known,
    max_order_qty,
    max_order_notional,
    price_collar,
    max_position_qty,
    max_open_orders,
    max_orders_per_s,
)


def reserved_notional(order: NewOrder, quote: Quote | None) -> Decimal:
    """Return what the order costs or brings at its limit, or at the far side of the book for a market order."""
    px = order.px
    if px is None and quote is not None:
        px = quote.ask_px if order.side is Side.BUY else quote.bid_px
    return order.order_qty * (px or ZERO)


def _reduces(case: Case) -> bool:
    """An order reduces if, with everything already under way on its side, it cannot cross zero."""
    exposure, order = case.exposure, case.order
    if order.side is Side.SELL:
        return exposure.position_qty > ZERO and exposure.lowest_qty - order.order_qty >= ZERO
    return exposure.position_qty < ZERO and exposure.highest_qty + order.order_qty <= ZERO


def _at_most(rule: str, what: str, value: Decimal, limit: Decimal) -> RiskRefused | None:
    if value <= limit:
        return None
    return RiskRefused(
        rule, f"expected {what} of at most {plain(limit)}, was {plain(value)}", limit=plain(limit), was=plain(value)
    )
