"""What a strategy is told of a fact about a trade: each quantity once, whether a trade or an inference told of it."""

from __future__ import annotations

from msgspec.structs import replace

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading import facts as f


def fill_of(body: f.Body) -> tuple[str, TradeReport] | None:
    """Return the order and what it traded by this fact, or None.

    Real trades that take the place of a synthetic fill are told as far as they go beyond what was told of it: nobody
    was told of one that an older release inferred.
    """
    if isinstance(body, f.TradeInferred):
        return (body.cl_ord_id, body.trade) if body.told else None
    if not isinstance(body, f.TradeBooked | f.TradeAttributed) or not body.cl_ord_id:
        return None
    fresh_qty = body.trade.last_qty - body.displaced_qty
    return (body.cl_ord_id, replace(body.trade, last_qty=fresh_qty)) if fresh_qty > ZERO else None
