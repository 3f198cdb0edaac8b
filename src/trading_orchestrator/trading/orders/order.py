"""One order: what was asked, what the venue said, what traded; its status is derived, never set."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import msgspec

from trading_orchestrator.brokers.port import OrdType, Side, TimeInForce, VenueStatus
from trading_orchestrator.kernel.derived import derived
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At, On, walk
from trading_orchestrator.trading.orders.requests import Request, RequestAt, RequestKind


class Inferred(msgspec.Struct, frozen=True):
    """What is left of a synthetic fill after real trades took its place. `told`: the order's strategy heard of it."""

    trade_id: str
    qty: Decimal
    px: Decimal
    at_ns: int
    told: bool = False


class Order(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """An order record. Evolves by evidence (`evolve.py`), each time into a new record.

    `order_qty` and `px` are the terms in force, `most_qty` the largest quantity that ever was in force.
    `venue_cum` is the venue's own sum where it ran ahead of ours. `lack` is what the absence of answers
    made of the order; any evidence from the venue clears it. `ended_id` is the venue order id that ended:
    a venue that replaces by cancel-and-new ends the old id, not the order. `replaces`: the order whose place it took.
    `created_seq`: the place in the desk's stream at which it began: what came first no clock can tell.
    `reopened`: we held it as ended once, and the venue went on working it.
    """

    cl_ord_id: str
    symbol: str
    side: Side
    ord_type: OrdType
    order_qty: Decimal
    px: Decimal | None
    time_in_force: TimeInForce = TimeInForce.GTC
    most_qty: Decimal = ZERO
    intent_id: str = ""
    generation: int = 0
    strategy: str = ""
    replaces: str = ""
    foreign: bool = False
    reserved_notional: Decimal = ZERO
    created_ns: int = 0
    created_seq: int = 0
    updated_ns: int = 0
    venue_order_id: str = ""
    former_venue_ids: tuple[str, ...] = ()
    refused: bool = False
    accepted: bool = False
    ended: At | None = None
    ended_id: str = ""
    reopened: bool = False
    lack: At | None = None
    lack_ns: int = 0
    not_founds: int = 0
    condition: VenueStatus | None = None
    told_ns: int = 0
    traded_qty: Decimal = ZERO
    traded_quote: Decimal = ZERO
    inferred: tuple[Inferred, ...] = ()
    venue_cum: Decimal = ZERO
    hole_ns: int = 0
    busted_ns: int = 0
    requests: tuple[Request, ...] = ()
    request_count: int = 0
    text: str = ""

    def evidence(self) -> list[On]:
        """Return the evidence held, in the order in which `life.walk` reads it."""
        return _read(self.refused, self.accepted, self.ended, self._traded, self.lack)

    @property
    def _traded(self) -> On | None:
        cum_qty = self.cum_qty
        if cum_qty <= ZERO:
            return None
        return On.FULLY_TRADED if cum_qty >= self.effective_qty else On.PART_TRADED

    @derived
    def status(self) -> At:
        return _status(self.refused, self.accepted, self.ended, self._traded, self.lack)

    @property
    def confirmed_status(self) -> At:
        """Return the status by the venue's evidence alone, as if nothing were in doubt."""
        return _status(self.refused, self.accepted, self.ended, self._traded, None)

    @derived
    def is_closed(self) -> bool:
        """Return whether nothing of it works at the venue, by the best evidence."""
        return self.status in ORDER_LIFE.terminal

    @derived
    def is_finished(self) -> bool:
        """Return whether it may leave memory: closed, every announced fill booked, no request undecided."""
        return self.is_closed and not self.hole_qty and not any(self._holds(request) for request in self.requests)

    def _holds(self, request: Request) -> bool:
        """A doubted cancel of a closed order can change nothing; a doubted replace may still reopen it."""
        return request.is_open and not (request.kind is RequestKind.CANCEL and request.at is RequestAt.DOUBTED)

    @property
    def inferred_qty(self) -> Decimal:
        return sum((part.qty for part in self.inferred), ZERO)

    @property
    def told_early_qty(self) -> Decimal:
        """Return how much of its synthetic fills its strategy heard of."""
        return sum((part.qty for part in self.inferred if part.told), ZERO)

    @property
    def cum_qty(self) -> Decimal:
        return self.traded_qty + self.inferred_qty if self.inferred else self.traded_qty

    @derived
    def effective_qty(self) -> Decimal:
        """Return the quantity in force; a cut below what had filled means the filled quantity (FIX D.12)."""
        cum_qty = self.cum_qty
        return self.order_qty if cum_qty <= self.order_qty else max(self.order_qty, min(cum_qty, self.most_qty))

    @property
    def leaves_qty(self) -> Decimal:
        if self.is_closed:
            return ZERO
        left = self.effective_qty - self.cum_qty
        return max(left, ZERO)

    @property
    def avg_px(self) -> Decimal | None:
        if not self.cum_qty:
            return None
        return self.cum_quote / self.cum_qty

    @property
    def cum_quote(self) -> Decimal:
        """Return what `cum_qty` is worth in the quote asset."""
        return self.traded_quote + sum((part.qty * part.px for part in self.inferred), ZERO)

    @property
    def hole_qty(self) -> Decimal:
        """Return how much the venue counts as filled beyond the trades we have."""
        return max(self.venue_cum - self.cum_qty, ZERO) if self.venue_cum else ZERO

    @property
    def overfilled_qty(self) -> Decimal:
        return max(self.cum_qty - max(self.most_qty, self.order_qty), ZERO)

    @derived
    def at_risk_qty(self) -> Decimal:
        """Return what may yet trade, at worst: reserved until evidence says that it cannot."""
        worst = self.leaves_qty
        if self.requests:
            worst = max(worst, self._replace_qty() - self.cum_qty)
        return max(worst, self.hole_qty) if self.venue_cum else worst

    def _replace_qty(self) -> Decimal:
        return max((request.order_qty or ZERO for request in self.requests if request.is_open), default=ZERO)

    @property
    def borne_ids(self) -> tuple[str, ...]:
        """Return the client ids it bore at the venue, the present one last: its own, then of replaces in force."""
        return (self.cl_ord_id, *(r.request_id for r in self.requests if r.at is RequestAt.ACCEPTED))

    def request(self, request_id: str) -> Request | None:
        """Return one of its requests that are still remembered, or None."""
        return next((request for request in self.requests if request.request_id == request_id), None)


_OF_END = {At.CANCELED: On.CANCELED, At.EXPIRED: On.EXPIRED, At.REJECTED: On.REJECTED}
_OF_LACK = {At.QUARANTINED: On.QUARANTINED, At.ABANDONED: On.PROVED_ABSENT}


def _read(refused: bool, accepted: bool, ended: At | None, traded: On | None, lack: At | None) -> list[On]:
    held = [On.REFUSED] if refused else []
    held += [On.ACCEPTED] if accepted else []
    held += [_OF_END[ended]] if ended is not None else []
    held += [traded] if traded is not None else []
    if lack is not None:
        held += [On.DOUBTED] if lack is At.UNKNOWN else [On.DOUBTED, _OF_LACK[lack]]
    return held


@cache
def _status(refused: bool, accepted: bool, ended: At | None, traded: On | None, lack: At | None) -> At:
    """Walk each of the 192 possible sets of evidence once: every look at an order asks for its status.

    Raises:
        NoSuchTransition: the evidence contradicts itself.
    """
    return walk(_read(refused, accepted, ended, traded, lack))
