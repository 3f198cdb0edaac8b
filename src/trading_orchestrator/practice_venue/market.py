"""One symbol's market: liquidity around the replayed price, resting orders, the tape."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile

from trading_orchestrator.practice_venue.candles import Candles
from trading_orchestrator.practice_venue.facts import ZERO
from trading_orchestrator.practice_venue.instrument import Instrument
from trading_orchestrator.practice_venue.ledger import Order


@dataclass(slots=True)
class Level:
    """Replayed liquidity at one price; what is taken stays taken until the next tick."""

    price: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """Something an incoming order can trade with: a level (no maker) or an account's resting order."""

    price: Decimal
    qty: Decimal
    maker: Order | None
    level: Level | None


@dataclass(frozen=True, slots=True)
class Print:
    """One trade on the public tape."""

    trade_id: int
    at_ms: int
    price: Decimal
    qty: Decimal
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask; a side without liquidity has price and quantity 0."""

    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal


class RestingOrders:
    """The accounts' open orders of one side, best price first, then oldest first."""

    def __init__(self, side: str) -> None:
        self._sign = -1 if side == "BUY" else 1
        self._keys: list[tuple[Decimal, int]] = []
        self._orders: list[Order] = []

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)

    def best(self) -> Order | None:
        return self._orders[0] if self._orders else None

    def add(self, order: Order) -> None:
        key = self._key(order)
        at = bisect_left(self._keys, key)
        insort(self._keys, key)
        self._orders.insert(at, order)

    def remove(self, order: Order) -> None:
        at = bisect_left(self._keys, self._key(order))
        if at < len(self._orders) and self._orders[at] is order:
            del self._keys[at], self._orders[at]

    def _key(self, order: Order) -> tuple[Decimal, int]:
        return (self._sign * order.price, order.order_id)


class Market:
    """Liquidity of one symbol. Nothing here knows of balances or facts."""

    def __init__(self, instrument: Instrument, *, update_id: int) -> None:
        self.instrument = instrument
        self.levels: dict[str, list[Level]] = {"BUY": [], "SELL": []}
        self.resting = {"BUY": RestingOrders("BUY"), "SELL": RestingOrders("SELL")}
        self.tape: deque[Print] = deque(maxlen=1000)
        self.candles = Candles()
        self.last_price = ZERO
        self.update_id = update_id

    def offers_to(self, taker_side: str) -> Iterator[Offer]:
        """Yield what the side could take, best price first; replayed liquidity stands before orders at its price."""
        side = "SELL" if taker_side == "BUY" else "BUY"
        sign = 1 if side == "SELL" else -1
        levels = [level for level in self.levels[side] if level.qty]
        orders = iter(self.resting[side])
        order = next(orders, None)
        for level in levels:
            while order is not None and sign * order.price < sign * level.price:
                yield Offer(order.price, order.leaves_qty, order, None)
                order = next(orders, None)
            yield Offer(level.price, level.qty, None, level)
        while order is not None:
            yield Offer(order.price, order.leaves_qty, order, None)
            order = next(orders, None)

    def crossed_by_levels(self) -> Iterator[tuple[Order, Level]]:
        """Yield each resting order with a level that trades through it; the caller takes before it asks on."""
        for side, other, sign in (("BUY", "SELL", 1), ("SELL", "BUY", -1)):
            levels = self.levels[other]
            if not levels:
                continue
            for order in self._reaching(side, sign, levels[0].price):
                for level in levels:
                    if sign * level.price > sign * order.price or not order.leaves_qty:
                        break
                    if level.qty:
                        yield order, level

    def quote(self) -> Quote:
        bid, bid_qty = self._best("BUY")
        ask, ask_qty = self._best("SELL")
        return Quote(bid, bid_qty, ask, ask_qty)

    def depth(self, side: str, limit: int) -> list[tuple[Decimal, Decimal]]:
        """Return (price, quantity) of the best `limit` prices of a side, accounts' orders included."""
        qty_by_price: dict[Decimal, Decimal] = {}
        for offer in self.offers_to("SELL" if side == "BUY" else "BUY"):
            if offer.price not in qty_by_price and len(qty_by_price) == limit:
                break
            qty_by_price[offer.price] = qty_by_price.get(offer.price, ZERO) + offer.qty
        return list(qty_by_price.items())

    def _best(self, side: str) -> tuple[Decimal, Decimal]:
        level = next((level for level in self.levels[side] if level.qty), None)
        order = self.resting[side].best()
        sign = 1 if side == "SELL" else -1
        if order is None:
            return (level.price, level.qty) if level is not None else (ZERO, ZERO)
        if level is not None and sign * level.price < sign * order.price:
            return level.price, level.qty
        qty = sum((o.leaves_qty for o in self._at_price(side, order.price)), ZERO)
        if level is not None and level.price == order.price:
            qty += level.qty
        return order.price, qty

    def _reaching(self, side: str, sign: int, best: Decimal) -> tuple[Order, ...]:
        return tuple(takewhile(lambda order: sign * order.price >= sign * best, self.resting[side]))

    def _at_price(self, side: str, price: Decimal) -> Iterator[Order]:
        for order in self.resting[side]:
            if order.price != price:
                return
            yield order
