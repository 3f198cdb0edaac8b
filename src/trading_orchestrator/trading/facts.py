"""The facts of a desk: every kind and its body. Kinds are stable for ever; a new meaning is a new name."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import NewOrder, OrderReport, TradeReport


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of one fact; unknown fields of a newer release are ignored when read."""


class AccountOpened(Body, frozen=True):
    """The first reconciliation of an account: sums of balances and positions start here (asset → total)."""

    account: str
    balances: dict[str, Decimal]
    trade_cursor: dict[str, str]


class OrderIntended(Body, frozen=True):
    """W1: we are about to send this order; its exposure is reserved from here on."""

    intent_id: str
    generation: int
    strategy: str
    order: NewOrder
    reserved_notional: Decimal


class OrderAccepted(Body, frozen=True):
    """Evidence that the venue has the order (answer, stream or query; `report.source` says which)."""

    report: OrderReport


class OrderRefused(Body, frozen=True):
    """The venue's definite no, proven to come before matching."""

    cl_ord_id: str
    venue_code: str
    text: str


class OrderDoubted(Body, frozen=True):
    """No trustworthy answer came: from here the order is UNKNOWN until evidence arrives."""

    cl_ord_id: str
    reason: str


class OrderEnded(Body, frozen=True):
    """Evidence that the order is closed at the venue: canceled, expired, or rejected after acceptance."""

    report: OrderReport


class OrderAbandoned(Body, frozen=True):
    """Proof R4: the venue never accepted it and no longer can. `proof` lists what was asked and answered."""

    cl_ord_id: str
    proof: list[str]


class OrderQuarantined(Body, frozen=True):
    """Unresolved past its budget: exposure stays reserved, the symbol is blocked, a human is paged."""

    cl_ord_id: str
    reason: str


class CancelIntended(Body, frozen=True):
    """W5: we are about to ask for this order's cancellation. `request_id` names the request, not the order."""

    cl_ord_id: str
    request_id: str
    reason: str = ""


class CancelRefused(Body, frozen=True):
    """The venue has no such open order; the order's own fate is asked separately."""

    cl_ord_id: str
    request_id: str
    venue_code: str
    text: str


class CancelDoubted(Body, frozen=True):
    """No trustworthy answer to the cancel came."""

    cl_ord_id: str
    request_id: str
    reason: str


class TradeBooked(Body, frozen=True):
    """W4: one venue trade, by its key (venue account, symbol, trade_id), with its position and balances."""

    trade: TradeReport
    source: str


class TradeConflicted(Body, frozen=True):
    """A known trade key came back with another price or quantity: an operator must look; nothing overwritten."""

    booked: TradeReport
    reported: TradeReport


class ForeignOrderSeen(Body, frozen=True):
    """An order on the account that is not ours: its exposure counts, we do not touch it."""

    report: OrderReport


class StrategySaved(Body, frozen=True):
    """A strategy's typed state as it was when the decisions of the same commit were made."""

    strategy: str
    state: msgspec.Raw


class DeskReconciled(Body, frozen=True):
    """Reconciliation with the venue ended: what was compared, what differed, and whether it is green."""

    trigger: str
    green: bool
    orders_checked: int
    trades_booked: int
    unknown: int
    differences: list[str]
    took_ms: float


class DeskModeChanged(Body, frozen=True):
    """The desk's mode: normal, reduce_only, halted or draining; who asked and why."""

    mode: str
    by: str
    reason: str


KINDS: dict[str, type[Body]] = {
    "account.opened": AccountOpened,
    "order.intended": OrderIntended,
    "order.accepted": OrderAccepted,
    "order.refused": OrderRefused,
    "order.doubted": OrderDoubted,
    "order.ended": OrderEnded,
    "order.abandoned": OrderAbandoned,
    "order.quarantined": OrderQuarantined,
    "cancel.intended": CancelIntended,
    "cancel.refused": CancelRefused,
    "cancel.doubted": CancelDoubted,
    "trade.booked": TradeBooked,
    "trade.conflicted": TradeConflicted,
    "foreign_order.seen": ForeignOrderSeen,
    "strategy.saved": StrategySaved,
    "desk.reconciled": DeskReconciled,
    "desk.mode_changed": DeskModeChanged,
}

KIND_OF: dict[type[Body], str] = {body: kind for kind, body in KINDS.items()}
