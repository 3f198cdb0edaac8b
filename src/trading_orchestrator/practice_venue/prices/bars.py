"""Bars as a path: open-low-high-close when a bar rises, open-high-low-close when it falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.practice_venue.prices.path import Tick

TICKS_PER_LEG = 20
TICKS_PER_BAR = 3 * TICKS_PER_LEG


@dataclass(frozen=True, slots=True)
class Bar:
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def corners(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return the path's turning points: the nearer extreme is not known, so the usual rule decides."""
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close


class BarPath:
    """Straight lines between the turning points, every bar as long as the others (gaps are closed)."""

    default_speed = 300.0
    step_size = Decimal("0.1")

    def __init__(self, bars: Sequence[Bar], *, bar_s: float, tick_size: Decimal) -> None:
        self._bars = bars
        self._tick_s = bar_s / TICKS_PER_BAR
        self.tick_size = tick_size

    def span_s(self) -> float:
        return len(self._bars) * TICKS_PER_BAR * self._tick_s

    def index_at(self, market_s: float) -> int:
        return int(market_s / self._tick_s)

    def time_of(self, index: int) -> float:
        return index * self._tick_s

    def tick(self, index: int) -> Tick:
        price = self._price(index)
        before = self._price(index - 1) if index else price
        return Tick(
            bid=price - self.tick_size,
            ask=price + self.tick_size,
            bid_qty=None,
            ask_qty=None,
            traded_price=price,
            traded_qty=None,
            seller_took=price < before,
        )

    def _price(self, index: int) -> Decimal:
        number, place = divmod(index, TICKS_PER_BAR)
        leg, step = divmod(place, TICKS_PER_LEG)
        corners = self._bars[number % len(self._bars)].corners()
        start, end = corners[leg], corners[leg + 1]
        done = Decimal(step + 1) / TICKS_PER_LEG if index else Decimal(0)
        ticks = ((end - start) * done / self.tick_size).to_integral_value()
        return start + ticks * self.tick_size
