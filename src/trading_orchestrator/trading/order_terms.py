"""Whether an order keeps to its instrument's steps and limits: what the venue would refuse, said before it is sent."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.port import NewOrder
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.trading.risk.limits import RiskRefused


def unfit(order: NewOrder, instrument: Instrument, notional: Decimal) -> RiskRefused | None:
    """Return what is wrong with the order's quantity or price at this instrument, or None.

    Args:
        notional: what the order is worth in the quote asset.
    """
    qty, px = order.order_qty, order.px
    if qty % instrument.step_qty:
        return _refused("step_qty", "a quantity in steps of", instrument.step_qty, qty)
    if px is not None and px % instrument.tick_px:
        return _refused("tick_px", "a price in ticks of", instrument.tick_px, px)
    if instrument.min_qty is not None and qty < instrument.min_qty:
        return _refused("min_qty", "a quantity of at least", instrument.min_qty, qty)
    if instrument.max_qty is not None and qty > instrument.max_qty:
        return _refused("max_qty", "a quantity of at most", instrument.max_qty, qty)
    if instrument.min_notional is not None and notional < instrument.min_notional:
        return _refused("min_notional", "a notional of at least", instrument.min_notional, notional)
    return None


def _refused(rule: str, expected: str, limit: Decimal, was: Decimal) -> RiskRefused:
    return RiskRefused(
        f"instrument.{rule}", f"expected {expected} {plain(limit)}, was {plain(was)}", limit=plain(limit)
    )
