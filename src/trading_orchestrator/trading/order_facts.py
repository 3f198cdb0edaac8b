"""Which facts of the journal are about one order, and how to read them without reading all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec

from trading_orchestrator.brokers.port import OrderReport, TradeReport
from trading_orchestrator.storage.ports import Fact, FactStore
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders.client_id import request_id
from trading_orchestrator.trading.orders.evolve import foreign_key
from trading_orchestrator.trading.orders.order import Order

PAGE = 1_000
REQUESTS_NAMED = 1_000
LATE_KINDS = ("order.flagged", "order.revived", "trade.conflicted")
"""Kinds about an order that may follow the last change of its row."""
CIRCUMSTANCES = (
    "desk.reconciled",
    "desk.mode_changed",
    "desk.found_behind",
    "desk.numbers_skipped",
    "desk.key_refused",
    "desk.key_accepted",
    "desk.killed",
    "desk.kill_verified",
    "desk.kill_lifted",
    "desk.armed",
    "desk.disarmed",
    "key_rights.doubted",
    "key_rights.told",
    "loss_limit.reached",
    "loss_limit.lifted",
    "position.adjusted",
    "symbol.blocked",
    "symbol.released",
)
"""Kinds that name no order and yet belong to the story of each that lives meanwhile."""
PERIODIC = "balances"
BIRTHS = ("order.intended", "order.denied", "order.adopted", "foreign_order.seen")


@dataclass(frozen=True)
class Ids:
    """What an order can be called in facts: our ids, and the venue's with their symbol."""

    ours: frozenset[str]
    venues: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, order: Order) -> Ids:
        minted = (request_id(order.cl_ord_id, number + 1) for number in range(min(order.request_count, REQUESTS_NAMED)))
        ours = {order.cl_ord_id, *minted, *(request.request_id for request in order.requests)}
        venues = {(order.symbol, one) for one in (*order.former_venue_ids, order.venue_order_id) if one}
        return cls(frozenset(ours), frozenset(venues))

    def needles(self) -> tuple[bytes, ...]:
        """Return the ids as they stand in a fact's JSON: most facts have none and need no decoding."""
        return tuple(msgspec.json.encode(one) for one in (*self.ours, *(venue_id for _, venue_id in self.venues)))

    def name(self, said: OrderReport | TradeReport) -> bool:
        """Return whether a venue's word is about the order: by our id, and only if it names none, by the venue's."""
        if said.cl_ord_id:
            return said.cl_ord_id in self.ours
        return (said.symbol, said.venue_order_id) in self.venues or _key_of_nameless(said) in self.ours


def _key_of_nameless(said: OrderReport | TradeReport) -> str:
    """Return what a nameless order is known by."""
    return foreign_key(said) if isinstance(said, OrderReport) else f"{said.symbol}#{said.venue_order_id}"


async def life_of(order: Order, *, store: FactStore, stream: str, row_pos: int) -> AsyncIterator[Fact]:
    """Yield the order's facts and those of the desk within its life, oldest first.

    Args:
        row_pos: where the order's row last changed.

    Cost: reads the desk's stream from there back to the order's birth, `PAGE` facts at a time, and keeps only what
    is about it. What came after the end of a closed order is looked up by kind.
    """
    ids = Ids.of(order)
    concerns = _concern(ids, order.symbol)
    found: list[Fact] = []
    before_pos: int | None = row_pos + 1
    while before_pos is not None:
        page = await store.read_before(stream=stream, before_pos=before_pos, limit=PAGE)
        before_pos = page[-1].pos if len(page) == PAGE else None
        for fact in page:
            if concerns(fact):
                found.append(fact)
                if fact.kind in BIRTHS:
                    before_pos = None
                    break
    for fact in reversed(found):
        yield fact
    after_pos = row_pos
    while page := await store.read(
        stream=stream, after_pos=after_pos, limit=PAGE, kinds=LATE_KINDS if order.is_finished else ()
    ):
        for fact in page:
            if concerns(fact):
                yield fact
        after_pos = page[-1].pos


def _concern(ids: Ids, symbol: str) -> Callable[[Fact], bool]:
    needles = ids.needles()

    def concerns(fact: Fact) -> bool:
        if fact.kind in CIRCUMSTANCES:
            return _is_circumstance(fact, symbol)
        return any(needle in fact.body for needle in needles) and speaks_of(fact, ids)

    return concerns


def speaks_of(fact: Fact, ids: Ids) -> bool:
    """Return whether the fact is about the order with these ids."""
    body = decoded(fact)
    match body:
        case None:
            return False
        case f.OrderIntended() | f.OrderDenied():
            return body.order.cl_ord_id in ids.ours
        case f.OrderRevived():
            return msgspec.json.decode(body.record, type=Order).cl_ord_id in ids.ours
        case f.TradeConflicted():
            return ids.name(body.booked) or ids.name(body.reported)
        case f.TradeBooked():
            return body.cl_ord_id in ids.ours if body.cl_ord_id else ids.name(body.trade)
    if (cl_ord_id := getattr(body, "cl_ord_id", None)) is not None:
        return cl_ord_id in ids.ours
    report = getattr(body, "report", None)
    return isinstance(report, OrderReport) and ids.name(report)


def decoded(fact: Fact) -> f.Body | None:
    """Return the fact's body; None for a kind that this release does not know, or of another stream."""
    kind = f.KINDS.get(fact.kind)
    return msgspec.json.decode(fact.body, type=kind) if kind is not None else None


def _is_circumstance(fact: Fact, symbol: str) -> bool:
    """A start of the desk concerns each order that lives; its look at the balances every minute does not."""
    body = decoded(fact)
    if isinstance(body, f.DeskReconciled):
        return body.trigger != PERIODIC
    return getattr(body, "symbol", symbol) == symbol
