"""A price path: ticks at points of market time, read from the start and looped for ever."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tick:
    """The market at one moment; quantities are None where the source has none, `traded_qty` 0 without a trade."""

    bid: Decimal
    ask: Decimal
    bid_qty: Decimal | None
    ask_qty: Decimal | None
    traded_price: Decimal
    traded_qty: Decimal | None
    seller_took: bool


class Path(Protocol):
    """Ticks in order of market time."""

    @property
    def default_speed(self) -> float:
        """Market seconds per real second at which prices visibly move."""
        ...

    @property
    def tick_size(self) -> Decimal:
        """The finest price step found in the source."""
        ...

    @property
    def step_size(self) -> Decimal:
        """The quantity step that fits the source: the finest recorded one, else a tenth."""
        ...

    def span_s(self) -> float:
        """Return the market seconds after which the path starts again."""
        ...

    def index_at(self, market_s: float) -> int:
        """Return the number of the last tick at or before the moment; it goes on counting over the loops."""
        ...

    def time_of(self, index: int) -> float:
        """Return the market second of a tick, counted from the start of the first loop."""
        ...

    def tick(self, index: int) -> Tick: ...
