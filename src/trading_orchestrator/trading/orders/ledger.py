"""What evidence asks of the book it is judged against; `Book` answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.trading.orders.order import Order


class KnownTrade(msgspec.Struct, frozen=True, array_like=True):
    """What it takes to recognise a trade again.

    `told`: other quantities and prices it was told with: before a correction, or in a reported conflict.
    `owned`: its order is known. `seq`: the place in the desk's stream at which it was booked.
    """

    qty: Decimal
    px: Decimal
    at_ns: int
    busted: bool = False
    owned: bool = True
    told: tuple[tuple[Decimal, Decimal], ...] = ()
    seq: int = 0

    def tells(self, trade: TradeReport) -> bool:
        """Return whether this report says nothing that was not heard before."""
        said = (trade.last_qty, trade.last_px)
        return said == (self.qty, self.px) or said in self.told


class Ledger(Protocol):
    """The questions of evidence, answered at once and without I/O."""

    @property
    def account(self) -> str:
        """Return the configured name of the account."""
        ...

    def order(self, cl_ord_id: str) -> Order | None:
        """Return the order that has, had or was asked to take this id, if it is held."""
        ...

    def find_order(self, *, symbol: str, cl_ord_id: str, venue_order_id: str) -> Order | None:
        """Return the held order a report speaks of: by our id, and only if it names none, by the venue's."""
        ...

    def open_orders(self) -> list[Order]:
        """Return every order not proved closed, oldest first."""
        ...

    def unfinished_orders(self) -> list[Order]:
        """Return every order that something is still to come for."""
        ...

    def trade_key(self, trade: TradeReport) -> str:
        """Return the key the trade is booked by, which is also that of its row."""
        ...

    def known_trade(self, trade: TradeReport) -> KnownTrade | None:
        """Return what is remembered of the trade with this key."""
        ...

    def is_booked(self, trade: TradeReport) -> bool | None:
        """Return whether the trade is booked; None when it is so old that only its row can tell."""
        ...

    def is_in_opening(self, trade: TradeReport) -> bool:
        """Return whether the balances that sums start with hold the trade already."""
        ...
