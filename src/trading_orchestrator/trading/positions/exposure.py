"""Exposure at worst: what is held, and what may yet trade on either side."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Exposure(msgspec.Struct, frozen=True):
    """One symbol's position and what orders that are not proved closed may add on each side.

    PENDING, UNKNOWN and QUARANTINED orders count in full: nobody knows better.
    """

    position_qty: Decimal
    buy_qty: Decimal
    sell_qty: Decimal

    @property
    def highest_qty(self) -> Decimal:
        """Return the position if every buy fills and no sell does."""
        return self.position_qty + self.buy_qty

    @property
    def lowest_qty(self) -> Decimal:
        """Return the position if every sell fills and no buy does."""
        return self.position_qty - self.sell_qty

    @property
    def worst_qty(self) -> Decimal:
        return max(abs(self.highest_qty), abs(self.lowest_qty))
