"""The onlooker: tells operators, humans and the exam what they act on. It judges nothing."""

from __future__ import annotations

from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.simulation.at_rest import misheld
from trading_orchestrator.simulation.judge import Judge
from trading_orchestrator.trading.book import Book

ITSELF = "desk"
SLEEPER = "sleeper"
"""The strategy whose orders nobody touches."""


class Onlooker:
    """Sees what the judge of one desk sees: its journal, and the venue's own record. It asks no node."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seen_quarantined: set[str] = set()

    def to_write_off(self) -> list[str]:
        """Return the orders quarantined since the last look that an operator finds nowhere, nor under way.

        A trade that names no order keeps the desk from its proof (F6): it may have been of this one. A human makes
        such trades, and a journal put back on a new timeline knows no owner of older ones. Without either nobody helps.
        """
        book = self._book()
        found = {order.cl_ord_id for order in book.quarantined_orders() if self._judge.has_strange_trades}
        absent = {each for each in found & self._seen_quarantined if self._judge.venue.known(each) is None}
        self._seen_quarantined = found
        nowhere = absent - self._judge.under_way()
        self._judge.written_off |= nowhere
        return sorted(nowhere)

    def sleeping(self) -> list[str]:
        """Return the open orders that no strategy will touch."""
        return [order.cl_ord_id for order in self._book().open_orders() if order.strategy == SLEEPER]

    def trades(self) -> bool:
        """Return whether the lease's holder has begun: its reconciliation is in the journal."""
        self._judge.catch_up()
        holder, epoch = self._judge.reader.holder_and_epoch(self._judge.lease)
        return bool(holder) and epoch == self._judge.reconciled_epoch

    def blocked_by(self) -> str:
        """Return why the symbol takes no entries, "" when it does."""
        return self._book().blocked.get(self._judge.terms.symbol, "")

    def is_settled(self) -> bool:
        """Return whether nothing is to come any more, by the journal and by the venue."""
        book = self._book()
        ours_open = any(not order.foreign for order in book.unfinished_orders()) or self._judge.exposures.open
        open_orders = ours_open or misheld(self._judge)
        booked_all = len(self._judge.venue.trades(self._judge.terms.symbol)) == len(self._judge.booked)
        held = {balance.asset: balance.total for balance in self._judge.venue.balances()}
        agree = booked_all and all(book.balances().get(asset, ZERO) == total for asset, total in held.items())
        return not open_orders and agree and not book.blocked and book.mode == "normal"

    def adopted(self) -> list[str]:
        """Return the open orders that no strategy owns: the journal lost them, and found them at the venue (F33)."""
        orders = self._book().open_orders()
        return [order.cl_ord_id for order in orders if not (order.foreign or order.strategy)]

    def to_cancel_by_hand(self) -> list[str]:
        """Return the open orders of strategies, those first whose cancel is on its way."""
        orders = [order for order in self._book().open_orders() if not order.foreign]
        return [order.cl_ord_id for order in orders if any(request.is_open for request in order.requests)]

    def stopped_by_itself(self) -> bool:
        """Return whether the desk, and no operator, decided to stop or only to reduce: somebody must look.

        It does so after a restore (F33), when its key is refused (F40) and at its daily loss.
        """
        book = self._book()
        by_itself = book.mode in ("reduce_only", "halted") and self._judge.mode_by == ITSELF
        return by_itself or bool(book.day_loss.reached)

    def may_trade(self) -> bool:
        """Return whether a person has given the permit that the desk needs, or it has not begun yet."""
        book = self._book()
        return book.permit.armed or not book.is_opened

    def _book(self) -> Book:
        self._judge.catch_up()
        return self._judge.book
