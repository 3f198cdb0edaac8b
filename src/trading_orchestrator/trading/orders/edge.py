"""FIX's view of an order at the edge: pending requests and conditions shown by FIX's precedence."""

from __future__ import annotations

from enum import Enum

from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import RequestAt, RequestKind


class OrdStatus(Enum):
    """What the world outside sees (OrdStatus, tag 39; TRIGGERED is what venues with stop orders add)."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    SUSPENDED = "SUSPENDED"
    STOPPED = "STOPPED"
    TRIGGERED = "TRIGGERED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"


PRECEDENCE: dict[OrdStatus, int] = {
    OrdStatus.PENDING_CANCEL: 12,
    OrdStatus.PENDING_REPLACE: 11,
    OrdStatus.DONE_FOR_DAY: 10,
    OrdStatus.FILLED: 8,
    OrdStatus.STOPPED: 7,
    OrdStatus.SUSPENDED: 6,
    OrdStatus.CANCELED: 5,
    OrdStatus.EXPIRED: 5,
    OrdStatus.PARTIALLY_FILLED: 4,
    OrdStatus.TRIGGERED: 3,
    OrdStatus.NEW: 2,
    OrdStatus.PENDING_NEW: 2,
    OrdStatus.REJECTED: 2,
}
"""Source: FIX 4.4 volume 4 appendix D, "order state change matrices": the highest is reported."""

_SETTLED = {at: OrdStatus[at.name] for at in At if at.name in OrdStatus.__members__}
_PENDING = {RequestKind.CANCEL: OrdStatus.PENDING_CANCEL, RequestKind.REPLACE: OrdStatus.PENDING_REPLACE}


def ord_status(order: Order) -> OrdStatus:
    """Return the status that FIX reports.

    Our UNKNOWN and QUARANTINED show as what the venue last confirmed, ABANDONED as REJECTED. A request
    shows once the venue reported it pending, even on an order that filled meanwhile (FIX D.5), but not
    on one that ended otherwise.
    """
    settled = OrdStatus.REJECTED if order.lack is At.ABANDONED else _SETTLED[order.confirmed_status]
    if order.condition is None and not order.requests:
        return settled
    shown = [settled]
    if order.condition is not None:
        shown.append(OrdStatus[order.condition.name])
    if order.ended is None:
        shown += [_PENDING[request.kind] for request in order.requests if request.at is RequestAt.PENDING]
    return max(shown, key=PRECEDENCE.__getitem__)
