"""The booked trades that a strategy's saved state does not reflect yet, for its successor to be given."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.storage.ports import Fact, FactStore
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import KINDS
from trading_orchestrator.trading.orders.fills import fill_of
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.stored import ORDERS, revived_order

TOLD = ("trade.booked", "trade.attributed", "trade.inferred")
KEPT = 4_096
PAGE = 500


class BookedTrade(NamedTuple):
    """What one of our orders traded, and its fact's place in the desk's stream."""

    seq: int
    cl_ord_id: str
    trade: TradeReport


class RecentTrades:
    """The newest booked trades as a follower of the stream sees them pass.

    `from_seq`: all trades from this place of the stream on are here; older ones have to be read.
    """

    def __init__(self, from_seq: int) -> None:
        self.from_seq = from_seq
        self._trades: deque[BookedTrade] = deque()

    def on_fact(self, fact: Fact) -> None:
        booked = _booked(fact)
        if booked is None:
            return
        self._trades.append(booked)
        if len(self._trades) > KEPT:
            self.from_seq = self._trades.popleft().seq + 1

    def after(self, seq: int) -> list[BookedTrade]:
        return [trade for trade in self._trades if trade.seq > seq]


async def trades_after(seq: int, recent: RecentTrades, book: Book, store: FactStore) -> list[BookedTrade]:
    """Return the trades booked after this place of the desk's stream, oldest first."""
    older: list[BookedTrade] = []
    if seq + 1 < recent.from_seq:
        before_pos: int | None = None
        while page := await store.read_before(stream=f"desk/{book.desk}", before_pos=before_pos, limit=PAGE):
            older += [booked for booked in map(_booked, page) if booked and seq < booked.seq < recent.from_seq]
            before_pos = page[-1].pos
            if page[-1].seq <= seq + 1:
                break
    return [*reversed(older), *recent.after(seq)]


async def order_of(booked: BookedTrade, book: Book, store: FactStore) -> Order | None:
    """Return the trade's order, from its row when it has left the Book."""
    order = book.order(booked.cl_ord_id)
    if order is None:
        row = await store.row(ORDERS, booked.cl_ord_id)
        order = None if row is None else revived_order(row.value)
    return order


def _booked(fact: Fact) -> BookedTrade | None:
    if fact.kind not in TOLD:
        return None
    fill = fill_of(msgspec.json.decode(fact.body, type=KINDS[fact.kind]))
    return BookedTrade(fact.seq, *fill) if fill is not None else None
