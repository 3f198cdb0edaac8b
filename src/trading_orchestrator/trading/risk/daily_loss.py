"""The day's loss: what a desk has earned in all, realized and unrealized, and since when it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.positions.position import Position, assets_of
from trading_orchestrator.trading.risk.limits import RiskLimits

MarkPx = Callable[[str], Decimal | None]


def loss_asset(symbols: Sequence[str], limits: RiskLimits, *, source: str) -> str:
    """Return the asset that the day's loss is measured in: the one that all the desk's symbols are quoted in.

    Raises:
        ConfigRefused: a limit is set, and the symbols are quoted in different assets, which nobody could add up.
    """
    quoted = sorted({assets_of(symbol)[1] for symbol in symbols})
    if limits.max_daily_loss is not None and len(quoted) > 1:
        raise ConfigRefused(
            f"{source}: risk.max_daily_loss: expected symbols quoted in one asset, was {', '.join(quoted)}: "
            "give each its own desk, or leave the limit out",
            key="risk.max_daily_loss",
            source=source,
        )
    return quoted[0]


def trading_day(wall_ns: int, begins_h: int) -> str:
    """Return the date of the trading day, which begins at this hour UTC; days sort by their text."""
    return (datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC) - timedelta(hours=begins_h)).date().isoformat()


def profit_of(positions: Iterable[Position], asset: str, mark_px: MarkPx) -> Decimal | None:
    """Return all that was earned, realized and unrealized, after fees; None while a position held has no price.

    Args:
        asset: what the positions are quoted in. Fees in a third asset count where ASSET/quote has a price, else not.
    """
    profit = ZERO
    for position in positions:
        profit += position.cash_flow
        if position.qty:
            px = mark_px(position.symbol)
            if px is None:
                return None
            profit += position.qty * px
        base, quote = assets_of(position.symbol)
        for fee_asset, fee in position.fees.items():
            if fee_asset == quote:
                profit -= fee
            elif fee_asset != base:  # a fee in the base asset was taken off the quantity already
                profit -= fee * (mark_px(f"{fee_asset}/{asset}") or ZERO)
    return profit
