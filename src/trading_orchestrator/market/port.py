"""Quotes, trades and instruments, and the feed that brings them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Protocol, cast

import msgspec


class Instrument(msgspec.Struct, frozen=True):
    """What can be traded: `symbol` is BASE/QUOTE; steps are > 0; limits None when the venue names none."""

    symbol: str
    base: str
    quote: str
    tick_px: Decimal
    step_qty: Decimal
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None


class Quote(msgspec.Struct, frozen=True):
    """Best bid and ask. `at_ns`: the venue's wall clock (UTC); `received_ns`: ours, monotonic."""

    symbol: str
    bid_px: Decimal
    bid_qty: Decimal
    ask_px: Decimal
    ask_qty: Decimal
    at_ns: int
    received_ns: int

    @property
    def mid_px(self) -> Decimal:
        return (self.bid_px + self.ask_px) / 2


class Trade(msgspec.Struct, frozen=True):
    """One public trade at the venue; times as in Quote."""

    symbol: str
    trade_id: str
    px: Decimal
    qty: Decimal
    at_ns: int
    received_ns: int


class Bar(msgspec.Struct, frozen=True):
    """Open, high, low, close and volume of the trades in [open_ns, close_ns); closed when handed out."""

    symbol: str
    open_ns: int
    close_ns: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume_qty: Decimal


class Feed(Protocol):
    """A source of prices. Streams reconnect by themselves; a gap shows in `age_s`, never as an end."""

    async def instruments(self) -> Sequence[Instrument]:
        """Return every instrument of the venue."""
        ...

    def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        """Yield quotes and trades as they arrive, until closed. A slow reader gets the newest quote, every trade."""
        ...

    async def close(self) -> None:
        """End streams and connections."""
        ...


class TellsBars(Protocol):
    """A feed that also knows the past; `past_of` tells."""

    async def bars(self, symbol: str, bar_s: int, *, last: int) -> Sequence[Bar]:
        """Return up to `last` closed bars of `bar_s` seconds, oldest first; none when the venue has none that fit.

        Raises: as a broker's questions do.
        """
        ...


def past_of(feed: Feed) -> TellsBars | None:
    """Return the feed if it, or what it wraps, knows the past."""
    return cast(TellsBars, feed) if callable(getattr(feed, "bars", None)) else None
