"""Whether an order may be decided now: the risk rules, then the instrument's own, on what the desk knows now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from trading_orchestrator.brokers.port import NewOrder
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.market.port import Instrument, Quote
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.order_terms import unfit
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.risk.check import check, reserved_notional
from trading_orchestrator.trading.risk.limits import RiskLimits, RiskRefused


class Judged(NamedTuple):
    """What an order would reserve, in the quote asset (0: refused), and why it may not be sent; None: it may."""

    notional: Decimal
    refusal: RiskRefused | None


class Admission:
    """Every order passes here before it exists, whoever decided it."""

    def __init__(
        self,
        book: Book,
        limits: RiskLimits,
        *,
        instruments: Mapping[str, Instrument],
        quotes: Mapping[str, Quote],
        clock: Clock,
        is_held: Callable[[str], bool],
    ) -> None:
        self._book = book
        self._limits = limits
        self._instruments = instruments
        self._quotes = quotes
        self._clock = clock
        self._is_held = is_held

    def judge(self, order: NewOrder, *, replacing: Order | None = None, is_spared: bool = False) -> Judged:
        """Return what becomes of the order; `replacing` is the one whose place it would take.

        Args:
            is_spared: its strategy may open nothing new for now.

        Raises:
            Refused: the symbol is none of the desk's.
        """
        instrument, quote = self.instrument(order.symbol), self.quote(order.symbol)
        refusal = check(
            order,
            self._book,
            quote,
            self._limits,
            self._clock.wall_ns(),
            replacing=replacing,
            is_held=self._is_held(order.symbol),
            is_spared=is_spared,
        )
        if refusal is not None:
            return Judged(ZERO, refusal)
        notional = reserved_notional(order, quote)
        return Judged(notional, unfit(order, instrument, notional))

    def instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            traded = ", ".join(self._instruments)
            raise Refused(f"expected a symbol of this desk that the venue lists ({traded}), was {symbol}", id=symbol)
        return instrument

    def quote(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)
