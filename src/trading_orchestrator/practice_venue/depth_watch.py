"""What changed of a market's depth since it was last told, level by level."""

from decimal import Decimal

from trading_orchestrator.practice_venue.facts import ZERO
from trading_orchestrator.practice_venue.market import Market

MOST_LEVELS = 1_000
Side = dict[Decimal, Decimal]
Changes = tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]


class DepthWatch:
    """Remembers the book of each watched market; one that nobody watches costs nothing."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Side, Side]] = {}

    def begin(self, market: Market) -> None:
        """Watch the market from its book as it is now. Does nothing when it is watched."""
        self._told.setdefault(market.instrument.symbol, _book(market))

    def end(self, market: Market) -> None:
        self._told.pop(market.instrument.symbol, None)

    def changes(self, market: Market) -> Changes | None:
        """Return (price, new quantity) of the bids and asks that changed; None when none did or nobody watches."""
        before = self._told.get(market.instrument.symbol)
        if before is None:
            return None
        now = self._told[market.instrument.symbol] = _book(market)
        bids, asks = (_changed(old, new) for old, new in zip(before, now, strict=True))
        return (bids, asks) if bids or asks else None


def _book(market: Market) -> tuple[Side, Side]:
    return dict(market.depth("BUY", MOST_LEVELS)), dict(market.depth("SELL", MOST_LEVELS))


def _changed(before: Side, now: Side) -> list[tuple[Decimal, Decimal]]:
    gone = [(price, ZERO) for price in before if price not in now]
    return gone + [(price, qty) for price, qty in now.items() if before.get(price) != qty]
