"""What a window of time did to a desk's money: cash and stock at its end against its beginning, fees included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.storage.ports import Fact, FactStore
from trading_orchestrator.trading.facts import TradeBooked
from trading_orchestrator.trading.positions.position import Position, assets_of, book_trade
from trading_orchestrator.trading.rows import POSITIONS

BOOKED = "trade.booked"
UNSURE = ("trade.inferred", "trade.busted", "trade.corrected", "position.adjusted")
"""What changes a position otherwise than by a trade that stands; then the past cannot be told from the trades."""


class _Row(msgspec.Struct):
    qty: Decimal


@dataclass
class Since:
    """What happened to a desk since a window began.

    `later`: the trades after its end, summed by symbol. `before_px`: what a symbol traded at last before it began,
    where that was read in passing.
    """

    window: list[Fact] = field(default_factory=list)
    later: dict[str, Position] = field(default_factory=dict)
    before_px: dict[str, Decimal] = field(default_factory=dict)
    is_unsure: bool = False

    def take(self, fact: Fact, until_ns: int) -> None:
        """Take one fact that came after the window began."""
        self.is_unsure = self.is_unsure or fact.kind in UNSURE
        if fact.at_ns <= until_ns:
            self.window.append(fact)
        elif fact.kind == BOOKED:
            trade = trade_of(fact)
            self.later[trade.symbol] = book_trade(self.later.get(trade.symbol, Position(trade.symbol)), trade)

    def take_before(self, fact: Fact) -> None:
        """Take one fact of before the window, the newest first."""
        if fact.kind == BOOKED:
            trade = trade_of(fact)
            self.before_px.setdefault(trade.symbol, trade.last_px)


def trade_of(fact: Fact) -> TradeReport:
    """Return the trade of a `trade.booked`."""
    return msgspec.json.decode(fact.body, type=TradeBooked).trade


async def profit(store: FactStore, desk: str, since: Since) -> Sequence[str]:
    """Return a sentence for each symbol that was traded in the window, oldest trade first."""
    trades: dict[str, list[TradeReport]] = {}
    for fact in since.window:
        if fact.kind == BOOKED:
            trade = trade_of(fact)
            trades.setdefault(trade.symbol, []).append(trade)
    if trades and since.is_unsure:
        return ["Profit or loss is not told: a position was changed since by something else than its trades."]
    return [
        await _sentence(store, desk, done, since.later.get(symbol, Position(symbol)), since.before_px.get(symbol))
        for symbol, done in trades.items()
    ]


async def _sentence(
    store: FactStore, desk: str, done: Sequence[TradeReport], later: Position, before_px: Decimal | None
) -> str:
    symbol = later.symbol
    row = await store.row(POSITIONS, f"{desk}/{symbol}")
    now_qty = msgspec.json.decode(row.value, type=_Row).qty if row is not None else Decimal(0)
    moved = _sum(symbol, done)
    after_qty = now_qty - later.qty
    before_qty = after_qty - moved.qty
    base, quote = assets_of(symbol)
    gained = (
        moved.cash_flow
        + after_qty * done[-1].last_px
        - before_qty * (before_px or done[0].last_px)
        - _paid(moved, quote)
    )
    word = "Profit" if gained >= 0 else "Loss"
    return (
        f"{word} in {symbol}: {gained:+,.2f} {quote} after fees; the position went from {before_qty.normalize():f} to "
        f"{after_qty.normalize():f} {base}, valued at the prices of its own trades."
    )


def _sum(symbol: str, trades: Iterable[TradeReport]) -> Position:
    position = Position(symbol)
    for trade in trades:
        position = book_trade(position, trade)
    return position


def _paid(position: Position, quote: str) -> Decimal:
    """Fees in the base asset are in the quantity already; those in a third one are told beside the turnover."""
    return position.fees.get(quote, Decimal(0))
