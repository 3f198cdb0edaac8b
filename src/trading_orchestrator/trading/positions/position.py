"""A position as the sum of its trades: held quantity, average cost, realized profit, fees."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.kernel.money import ZERO


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is held of one symbol (BASE/QUOTE).

    `qty` is signed and what is left after fees in the base asset. `realized` and `cash_flow` are in the
    quote asset before fees; `fees` are what was paid, by asset. Quantity, cash flow and fees are sums and
    do not depend on the order of trades; average cost does, so how profit splits into realized and
    unrealized does too, but never their total at a price.
    """

    symbol: str
    qty: Decimal = ZERO
    avg_px: Decimal = ZERO
    realized: Decimal = ZERO
    cash_flow: Decimal = ZERO
    fees: dict[str, Decimal] = {}
    trades: int = 0

    def unrealized(self, mark_px: Decimal) -> Decimal:
        """Return the profit in the quote asset if all of it were closed at `mark_px`, before fees."""
        return self.qty * (mark_px - self.avg_px)


def assets_of(symbol: str) -> tuple[str, str]:
    """Return base and quote of BASE/QUOTE (a settlement suffix as in BASE/QUOTE:SETTLE is dropped)."""
    base, _, quote = symbol.partition(":")[0].partition("/")
    return base, quote


def book_trade(position: Position, trade: TradeReport) -> Position:
    """Return the position with the trade added."""
    base, _ = assets_of(position.symbol)
    signed = trade.side.sign * trade.last_qty
    qty, avg_px, realized = _moved(position, signed, trade.last_px)
    return replace(
        position,
        qty=qty - trade.fee if trade.fee_asset == base else qty,
        avg_px=avg_px,
        realized=realized,
        cash_flow=position.cash_flow - signed * trade.last_px,
        fees=_with_fee(position.fees, trade.fee_asset, trade.fee),
        trades=position.trades + 1,
    )


def bust_trade(position: Position, trade: TradeReport) -> Position:
    """Return the position with a booked trade taken out again."""
    base, _ = assets_of(position.symbol)
    signed = trade.side.sign * trade.last_qty
    if trade.fee_asset == base:
        position = replace(position, qty=position.qty + trade.fee)
    return replace(
        _moved_back(position, signed, trade.last_px),
        cash_flow=position.cash_flow + signed * trade.last_px,
        fees=_with_fee(position.fees, trade.fee_asset, -trade.fee),
        trades=position.trades - 1,
    )


def adjust_position(position: Position, qty: Decimal, px: Decimal) -> Position:
    """Return the position after `qty` came in or left at `px` by no trade: profit at that price does not move."""
    held, avg_px, realized = _moved(position, qty, px)
    return replace(position, qty=held, avg_px=avg_px, realized=realized, cash_flow=position.cash_flow - qty * px)


def _moved(position: Position, signed: Decimal, px: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Return quantity, average cost and realized profit: what goes against it closes at its cost, the rest opens."""
    qty = position.qty
    closes = min(abs(signed), abs(qty)) if qty * signed < 0 else ZERO
    sign = 1 if signed > 0 else -1
    realized = position.realized - sign * closes * (px - position.avg_px)
    opens = abs(signed) - closes
    held = abs(qty) - closes
    avg_px = (held * position.avg_px + opens * px) / (held + opens) if opens else position.avg_px
    return qty + signed, avg_px, realized


def _moved_back(position: Position, signed: Decimal, px: Decimal) -> Position:
    """Undo `_moved` as far as an average allows.

    A trade that opened leaves the average of the others behind. Where no such average exists (the others
    were closed meanwhile), and for a trade that closed, the difference to the average goes to realized:
    either way realized + qty * avg_px falls by exactly what the trade had brought.
    """
    qty = position.qty
    left = abs(qty) - abs(signed)
    if qty * signed > 0 and left > 0:
        avg_px = (abs(qty) * position.avg_px - abs(signed) * px) / left
        if avg_px > 0:
            return replace(position, qty=qty - signed, avg_px=avg_px)
    return replace(position, qty=qty - signed, realized=position.realized + signed * (px - position.avg_px))


def _with_fee(fees: dict[str, Decimal], asset: str, fee: Decimal) -> dict[str, Decimal]:
    if not fee:
        return fees
    return {**fees, asset: fees.get(asset, ZERO) + fee}
