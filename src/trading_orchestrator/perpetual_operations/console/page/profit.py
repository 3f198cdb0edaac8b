"""Profit after fees, now and back in time: computed from a position's sums by taking its trades out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

ZERO = Decimal(0)


class Point(msgspec.Struct, frozen=True):
    """The moment of one fill: its price and side, and the profit with the position marked at that price."""

    at_ns: int
    px: Decimal
    side: str
    profit: Decimal


def profit_curve(position: Mapping[str, Any], trades: Sequence[Mapping[str, Any]]) -> Sequence[Point]:
    """Return a point per trade, oldest first; the last one is the profit now, at the price of the last fill.

    Profit is cash flow + quantity × price − fees in the quote asset, so nothing of this process's memory is
    needed: any node draws the same picture. Fees in a third asset (a venue's own coin) are not converted.

    Args:
        position: a row of `positions` that already contains all of the trades.
        trades: rows of `trades` for its symbol, newest first, without gaps.
    """
    base, _, quote = str(position["symbol"]).partition(":")[0].partition("/")
    qty, cash = Decimal(str(position["qty"])), Decimal(str(position["cash_flow"]))
    fees = Decimal(str(position.get("fees", {}).get(quote, "0")))
    points = []
    for trade in trades:
        px, last_qty, fee = (Decimal(str(trade[key])) for key in ("last_px", "last_qty", "fee"))
        points.append(Point(int(trade["at_ns"]), px, str(trade["side"]), cash + qty * px - fees))
        signed = last_qty if trade["side"] == "buy" else -last_qty
        qty -= signed - (fee if trade["fee_asset"] == base else ZERO)
        cash += signed * px
        fees -= fee if trade["fee_asset"] == quote else ZERO
    return points[::-1]
