"""What an incoming order trades with: price first, then time, never its own account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.practice_venue.facts import ZERO
from trading_orchestrator.practice_venue.ledger import Order
from trading_orchestrator.practice_venue.market import Level, Market


@dataclass(frozen=True, slots=True)
class Match:
    """One trade to be; with `self_trade` the resting order expires instead (mode EXPIRE_MAKER)."""

    price: Decimal
    qty: Decimal
    maker: Order | None
    level: Level | None
    self_trade: bool = False


def plan_matches(market: Market, *, account: str, side: str, limit_price: Decimal | None, qty: Decimal) -> list[Match]:
    """Return the trades that an order of `qty` would make now, in order. Changes nothing."""
    matches: list[Match] = []
    for offer in market.offers_to(side):
        if qty <= 0 or not _reaches(side, limit_price, offer.price):
            break
        if offer.maker is not None and offer.maker.account == account:
            matches.append(Match(offer.price, ZERO, offer.maker, None, self_trade=True))
            continue
        taken = min(qty, offer.qty)
        matches.append(Match(offer.price, taken, offer.maker, offer.level))
        qty -= taken
    return matches


def qty_for_quote(market: Market, *, account: str, side: str, quote_qty: Decimal) -> Decimal:
    """Return how much a market order could trade for `quote_qty` now, on the quantity step."""
    instrument = market.instrument
    qty = ZERO
    for offer in market.offers_to(side):
        if offer.maker is not None and offer.maker.account == account:
            continue
        affordable = instrument.on_step(quote_qty / offer.price)
        taken = min(affordable, offer.qty)
        qty += taken
        quote_qty -= taken * offer.price
        if taken < offer.qty:
            break
    return qty


def cost_of(matches: Sequence[Match]) -> Decimal:
    return sum((match.price * match.qty for match in matches), ZERO)


def traded_qty(matches: Sequence[Match]) -> Decimal:
    return sum((match.qty for match in matches), ZERO)


def would_take(market: Market, side: str, limit_price: Decimal) -> bool:
    offers: Iterator[Decimal] = (offer.price for offer in market.offers_to(side))
    best = next(offers, None)
    return best is not None and _reaches(side, limit_price, best)


def _reaches(side: str, limit_price: Decimal | None, price: Decimal) -> bool:
    if limit_price is None:
        return True
    return price <= limit_price if side == "BUY" else price >= limit_price
