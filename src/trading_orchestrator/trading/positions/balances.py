"""Cash by asset: the opening balance plus the sum of trades less fees."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.positions.position import assets_of


def changes_of(trade: TradeReport) -> dict[str, Decimal]:
    """Return by how much the trade changes the total of each asset."""
    base, quote = assets_of(trade.symbol)
    signed = trade.side.sign * trade.last_qty
    changes = {base: signed, quote: -signed * trade.last_px}
    if trade.fee:
        changes[trade.fee_asset] = changes.get(trade.fee_asset, ZERO) - trade.fee
    return changes


def with_changes(
    balances: Mapping[str, Decimal], changes: Mapping[str, Decimal], *, sign: int = 1
) -> dict[str, Decimal]:
    """Return the balances after the changes, or (sign -1) with them taken back."""
    after = dict(balances)
    for asset, change in changes.items():
        after[asset] = after.get(asset, ZERO) + sign * change
    return after
