"""Asks the venue about each symbol on its own: one that it knows no more keeps nobody from the others (F39)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from trading_orchestrator.brokers.port import SymbolGone
from trading_orchestrator.trading.facts import SymbolBlocked
from trading_orchestrator.trading.record import DeskRecord

log = logging.getLogger(__name__)
DELISTED = "symbol.delisted"


@dataclass
class Answers:
    """`told`: the symbols on which the venue answered. `gone`: those it knows no more. `failure`: another's."""

    told: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    failure: Exception | None = None

    def raise_failure(self) -> None:
        """Let the caller hear of a symbol on which nobody answered, once it has used what the others brought."""
        if self.failure is not None:
            raise self.failure


class EachSymbol:
    """Puts one question for each symbol of a desk. What the venue delisted is blocked, and asked for all the same."""

    def __init__(self, record: DeskRecord, symbols: Sequence[str]) -> None:
        self._record = record
        self._symbols = symbols

    async def ask(self, question: Callable[[str], Awaitable[None]]) -> Answers:
        """Put the question for every symbol, one after the other, whatever becomes of those before."""
        answers = Answers()
        for symbol in self._symbols:
            try:
                await question(symbol)
            except SymbolGone as gone:
                answers.gone.add(symbol)
                self.block(symbol, gone)
            except Exception as error:  # noqa: BLE001 - a bug about one symbol, too, is raised after the others' turn
                answers.failure = answers.failure or error
            else:
                answers.told.add(symbol)
        return answers

    def block(self, symbol: str, gone: SymbolGone) -> None:
        """Block the symbol, once: a named person who saw it return releases it."""
        if self._record.is_lost or self._record.book.blocked.get(symbol) == DELISTED:
            return
        log.error("the venue knows no symbol %s any more: %s", symbol, gone.message)
        self._record.write(SymbolBlocked(symbol=symbol, code=DELISTED, text=f"the venue: {gone.message}"))
