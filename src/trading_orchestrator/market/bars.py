"""Bars from trades: aligned to the venue's clock, handed out once, when they are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.market.port import Bar, Trade


@dataclass
class _Growing:
    """The bar that trades still enter."""

    open_ns: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume_qty: Decimal = ZERO

    def add(self, trade: Trade) -> None:
        self.high_px = max(self.high_px, trade.px)
        self.low_px = min(self.low_px, trade.px)
        self.close_px = trade.px
        self.volume_qty += trade.qty


@dataclass
class BarBuilder:
    """Builds the bars of one symbol. Pure: time comes with the trades and the ticks.

    A bar covers [k × length, (k + 1) × length) of UTC. A span without trades makes no bar. A trade that comes
    after its bar was handed out is left out and counted in `late`: a closed bar never changes.

    Args:
        length_s: bar length in seconds, > 0.
    """

    symbol: str
    length_s: float
    late: int = 0
    _growing: _Growing | None = None
    _closed_ns: int = field(default=-(1 << 63))

    def __post_init__(self) -> None:
        self._length_ns = round(self.length_s * 1e9)
        if self._length_ns <= 0:
            raise Refused(f"length_s: expected seconds > 0, was {self.length_s}", key="length_s")

    def on_trade(self, trade: Trade) -> Sequence[Bar]:
        """Return the bar that this trade closed, if any, and take the trade in.

        Raises:
            Refused: the trade is of another symbol.
        """
        if trade.symbol != self.symbol:
            raise Refused(f"expected a trade of {self.symbol}, was {trade.symbol}", symbol=trade.symbol)
        closed = self.on_time(trade.at_ns)
        open_ns = trade.at_ns - trade.at_ns % self._length_ns
        if open_ns < self._closed_ns or (self._growing is not None and open_ns < self._growing.open_ns):
            self.late += 1
            return closed
        if self._growing is None:
            self._growing = _Growing(open_ns, trade.px, trade.px, trade.px, trade.px)
        self._growing.add(trade)
        return closed

    def on_time(self, venue_now_ns: int) -> Sequence[Bar]:
        """Return the bar that has ended by the venue's time `venue_now_ns`, if any: quiet markets close bars too."""
        growing = self._growing
        if growing is None or venue_now_ns < growing.open_ns + self._length_ns:
            return ()
        self._growing = None
        self._closed_ns = growing.open_ns + self._length_ns
        return (
            Bar(
                symbol=self.symbol,
                open_ns=growing.open_ns,
                close_ns=self._closed_ns,
                open_px=growing.open_px,
                high_px=growing.high_px,
                low_px=growing.low_px,
                close_px=growing.close_px,
                volume_qty=growing.volume_qty,
            ),
        )
