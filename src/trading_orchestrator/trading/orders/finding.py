"""What evidence amounts to for a book: facts to record, or what must be looked up first."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import msgspec

from trading_orchestrator.trading.facts import Body

LATE_FILL = "order.late_fill"
RESURRECTED = "order.resurrected"
OVERFILLED = "order.overfilled"
VANISHED = "order.vanished"
ADOPTED = "order.adopted"
UNATTRIBUTED = "trade.unattributed"


VENUE = "venue"
"""Where an Ask leads that no row can answer: ask the venue for the order with this cl_ord_id."""


class Ask(NamedTuple):
    """What the book cannot tell: a row of a projection, or (VENUE) the venue's word on one order."""

    projection: str
    key: str


Known: TypeAlias = Mapping[Ask, bytes | None]
"""What became of asks: the row, or None when there is none. A VENUE ask is None once its answer is recorded."""


class Hole(msgspec.Struct, frozen=True):
    """The venue counts this much more of the order as filled than we have trades: fetch its trades."""

    cl_ord_id: str
    symbol: str
    venue_order_id: str
    missing_qty: Decimal


class Finding(msgspec.Struct, frozen=True):
    """What evidence amounts to.

    With `asks` there are no facts yet: look each up and put the same evidence again with the answers.
    Otherwise record `facts`, often none.
    """

    facts: tuple[Body, ...] = ()
    asks: tuple[Ask, ...] = ()
    hole: Hole | None = None


NOTHING = Finding()
