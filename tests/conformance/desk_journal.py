"""A desk's journal in memory: facts and rows as bytes, and the Book that can be folded from them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from trading_orchestrator.storage.ports import Fact, Put
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book, rebuild
from trading_orchestrator.trading.orders import answers
from trading_orchestrator.trading.orders.finding import VENUE, Ask, Finding, Known
from trading_orchestrator.trading.rows import SNAPSHOT

ALERTING = ("order.flagged", "foreign_order.seen", "trade.conflicted", "order.quarantined", "symbol.blocked")
Rows = dict[tuple[str, str], bytes]
Evidence = Callable[[Book, Known], Finding]


def keep(rows: Rows, puts: Iterable[Put]) -> None:
    """Write rows as a store does."""
    for put in puts:
        if put.value is None:
            rows.pop((put.projection, put.key), None)
        else:
            rows[put.projection, put.key] = encoded(put.value)


def without_snapshot(rows: Rows) -> Rows:
    """Return the rows that are functions of the facts: when a snapshot is taken is the desk's own business."""
    return {key: value for key, value in rows.items() if key[0] != SNAPSHOT}


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


class DeskJournal:
    """A desk's facts and rows as bytes, and the Book over them; every message may be heard twice."""

    def __init__(self, *, doubled: bool) -> None:
        self.doubled = doubled
        self.facts: list[Fact] = []
        self.rows: Rows = {}
        self.ask_venue: Callable[[str], None] = lambda cl_ord_id: None
        self.now_ns = 1_700_000_000_000_000_000
        self.book = self._empty()

    def _empty(self) -> Book:
        return Book("case", account="case", timeline="line")

    def record(self, *bodies: f.Body) -> None:
        """Decide: into the book and, as bytes, into the journal."""
        recorded = self.book.record(bodies, self.now_ns)
        for new in recorded.facts:
            seq = len(self.facts) + 1
            self.facts.append(
                Fact(
                    pos=seq,
                    stream=new.stream,
                    seq=seq,
                    at_ns=self.now_ns + 1,
                    node="test",
                    epoch=1,
                    kind=new.kind,
                    body=encoded(new.body),
                    prev_hash=b"",
                    hash=b"",
                )
            )
        keep(self.rows, recorded.puts)

    def hear(self, what: Evidence) -> Finding:
        """Take evidence in, with every look-up it asks for; once, or twice when doubled."""
        finding = self._hear_once(what)
        if self.doubled:
            self._hear_once(what)
        return finding

    def _hear_once(self, what: Evidence) -> Finding:
        known: dict[Ask, bytes | None] = {}
        finding = what(self.book, known)
        while finding.asks:
            known |= {ask: self._look_up(ask) for ask in finding.asks}
            finding = what(self.book, known)
        if finding.facts:
            self.record(*finding.facts)
        return finding

    def _look_up(self, ask: Ask) -> bytes | None:
        if ask.projection != VENUE:
            return self.rows.get((ask.projection, ask.key))
        self.ask_venue(ask.key)
        return None

    def crash(self) -> None:
        """Lose everything but the facts: fold them anew, rebuild the rows, and begin with the doubts of a start."""
        before = self.book.to_snapshot()
        self.book = self._empty()
        for fact in self.facts:
            self.book.apply_fact(fact)
        assert before == self.book.to_snapshot()
        assert before == Book.from_snapshot(before).to_snapshot()
        rebuilt = self.rebuilt_rows()
        assert without_snapshot(rebuilt) == without_snapshot(self.rows)
        self.rows = rebuilt
        self.hear(lambda book, known: answers.of_restart(book))

    def rebuilt_rows(self) -> Rows:
        """Return the rows that the facts alone give."""
        rows: Rows = {}
        keep(rows, rebuild("case", account="case", timeline="line", facts=self.facts))
        return rows

    def alerts(self) -> int:
        """Return how much an operator has been told so far."""
        return sum(fact.kind in ALERTING for fact in self.facts)
