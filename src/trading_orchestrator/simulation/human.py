"""Somebody who trades by hand on the desk's own account, and moves money in and out of it (F41)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from decimal import Decimal

from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.simulation.chance import Chance

OPEN_MOST = 2
QTY_MOST = 3
TRANSFERS = (Decimal(-7), Decimal(-1), Decimal("0.5"), Decimal(2), Decimal(11))


class Human:
    """Acts at the venue itself: no node, no journal and no lease between.

    Args:
        bid_px: the price around which to order.
    """

    def __init__(self, venue: SimulatedVenue, symbol: str, chance: Chance, bid_px: Callable[[], Decimal]) -> None:
        self._venue = venue
        self._symbol = symbol
        self._chance = chance
        self._bid_px = bid_px
        self._count = 0
        self._open: list[str] = []

    def trade(self) -> None:
        """Cancel the oldest order when there are many, and place another: small, at or near the market."""
        if len(self._open) >= OPEN_MOST:
            self._cancel(self._open.pop(0))
        self._count += 1
        instrument = self._venue.instruments[self._symbol]
        side = self._chance.pick((Side.BUY, Side.SELL))
        behind = self._chance.below(4) - 1
        px = self._bid_px() - side.sign * behind * instrument.tick_px
        qty = Decimal(1 + self._chance.below(QTY_MOST))
        order = NewOrder(f"web_{self._count}", self._symbol, side, OrdType.LIMIT, qty, px)
        with contextlib.suppress(OrchestratorError):  # refused: as the human reads on the page
            self._venue.accept(order)
            self._open.append(order.cl_ord_id)

    def cancel_all(self) -> None:
        """Go home."""
        self.cancel(self._open)
        self._open.clear()

    def rest(self, px: Decimal) -> str:
        """Place one small order that stays when the human has gone home, and return its id."""
        self._count += 1
        order = NewOrder(f"web_{self._count}", self._symbol, Side.BUY, OrdType.LIMIT, Decimal(QTY_MOST), px)
        return self._venue.accept(order).cl_ord_id

    def cancel(self, cl_ord_ids: Iterable[str]) -> None:
        """Cancel these by hand, whosever they are."""
        for cl_ord_id in cl_ord_ids:
            self._cancel(cl_ord_id)

    def transfer(self) -> tuple[str, Decimal]:
        """Move money, and return which asset and how much."""
        instrument = self._venue.instruments[self._symbol]
        asset, amount = self._chance.pick((instrument.base, instrument.quote)), self._chance.pick(TRANSFERS)
        self._venue.transfer(asset, amount)
        return asset, amount

    def _cancel(self, cl_ord_id: str) -> None:
        with contextlib.suppress(OrchestratorError):  # filled meanwhile
            self._venue.cancel(self._symbol, cl_ord_id)
