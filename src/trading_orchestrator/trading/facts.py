"""The facts of a desk: every kind and its body. Kinds are stable for ever; a new meaning is a new name."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import NewOrder, OrderReport, TradeReport
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.desk_facts import (
    AccountAdjusted,
    AccountOpened,
    Body,
    DeskFoundBehind,
    DeskKeyAccepted,
    DeskKeyRefused,
    DeskKilled,
    DeskKillLifted,
    DeskKillVerified,
    DeskModeChanged,
    DeskNumbersSkipped,
    DeskReconciled,
    ProjectionsRebuilt,
    StrategyBlamed,
    StrategyDisabled,
    StrategyRestarted,
    StrategySaved,
    SymbolBlocked,
    SymbolReleased,
)
from trading_orchestrator.trading.permit_facts import PERMIT_KINDS

__all__ = [
    "AccountAdjusted",
    "AccountOpened",
    "Body",
    "DeskFoundBehind",
    "DeskKeyAccepted",
    "DeskKeyRefused",
    "DeskKillLifted",
    "DeskKillVerified",
    "DeskKilled",
    "DeskModeChanged",
    "DeskNumbersSkipped",
    "DeskReconciled",
    "ProjectionsRebuilt",
    "StrategyBlamed",
    "StrategyDisabled",
    "StrategyRestarted",
    "StrategySaved",
    "SymbolBlocked",
    "SymbolReleased",
]


class OrderIntended(Body, frozen=True):
    """W1: we are about to send this order; its exposure is reserved from here on.

    `replaces`: the order whose place it takes, which is proved closed.
    """

    intent_id: str
    generation: int
    strategy: str
    order: NewOrder
    reserved_notional: Decimal
    replaces: str = ""


class OrderDenied(Body, frozen=True):
    """Our own risk refused the order: nothing was sent and nothing is reserved."""

    intent_id: str
    generation: int
    strategy: str
    order: NewOrder
    code: str
    text: str


class OrderAccepted(Body, frozen=True):
    """Evidence that the venue has the order (answer, stream or query; `report.source` says which)."""

    report: OrderReport


class OrderRefused(Body, frozen=True):
    """The venue's definite no, proven to come before matching; or nothing was sent at all (`source` "desk").

    `raw_hash`: of the answer.
    """

    cl_ord_id: str
    venue_code: str
    text: str
    source: str = ""
    raw_hash: str = ""


class OrderDoubted(Body, frozen=True):
    """No trustworthy answer came: from here the order is UNKNOWN until evidence arrives."""

    cl_ord_id: str
    reason: str


class OrderEnded(Body, frozen=True):
    """Evidence that the order is closed at the venue: canceled, expired, or rejected after acceptance."""

    report: OrderReport


class OrderReopened(Body, frozen=True):
    """The venue works an order that we held as ended, by its list and by its answer: what is left of it is reserved."""

    cl_ord_id: str
    report: OrderReport


class NotFoundCounted(Body, frozen=True):
    """The venue was asked for an order in doubt and did not know it, for the `count`-th time; proves nothing alone.

    `after_s`: since it can last have been sent. Of many, each doubling is written.
    """

    cl_ord_id: str
    count: int
    after_s: float


class OrderAbandoned(Body, frozen=True):
    """Proof R4: the venue never accepted it and no longer can. `proof` lists what was asked and answered.

    With `request_pos` a named operator proved it, who looked at the venue himself.
    """

    cl_ord_id: str
    proof: list[str]
    request_pos: int = 0


class OrderQuarantined(Body, frozen=True):
    """Unresolved past its budget: exposure stays reserved, the symbol is blocked, a human is paged."""

    cl_ord_id: str
    reason: str


class OrderAdopted(Body, frozen=True):
    """An order that carries our prefix and is not in this journal (a restored backup): ours from here on."""

    report: OrderReport


class OrderRestated(Body, frozen=True):
    """The venue changed a live order's terms (quantity, price, id) or its condition (halted, done for the day)."""

    cl_ord_id: str
    report: OrderReport


class OrderFlagged(Body, frozen=True):
    """Something about this order that an operator must hear; `code` is the key of alert and runbook."""

    cl_ord_id: str
    code: str
    text: str


class OrderRevived(Body, frozen=True):
    """A finished order taken back into memory for late evidence; `record` is the whole order as it was.

    A fact, so that a fold never needs a projection.
    """

    record: msgspec.Raw


class CancelIntended(Body, frozen=True):
    """W5: we are about to ask for this order's cancellation. `request_id` names the request, not the order."""

    cl_ord_id: str
    request_id: str
    reason: str = ""


class CancelRefused(Body, frozen=True):
    """The venue has no such open order; the order's own fate is asked separately. As OrderRefused."""

    cl_ord_id: str
    request_id: str
    venue_code: str
    text: str
    source: str = ""
    raw_hash: str = ""


class CancelDoubted(Body, frozen=True):
    """No trustworthy answer to the cancel came."""

    cl_ord_id: str
    request_id: str
    reason: str


class EmergencyCancelSent(Body, frozen=True):
    """A cancel that left while the journal took nothing, noted by `node` in its incarnation file; journaled later."""

    cl_ord_id: str
    request_id: str
    node: str
    sent_ns: int
    reason: str


class RequestAcknowledged(Body, frozen=True):
    """The venue has our cancel or replace and has not decided it yet (FIX: pending)."""

    cl_ord_id: str
    request_id: str
    report: OrderReport


class ReplaceIntended(Body, frozen=True):
    """W5: we are about to ask for new terms. `request_id` is the cl_ord_id the order has if the venue agrees."""

    cl_ord_id: str
    request_id: str
    order_qty: Decimal
    px: Decimal | None
    reason: str = ""


class ReplaceAccepted(Body, frozen=True):
    """The venue put the new terms in force; `report` is the order as it is now."""

    cl_ord_id: str
    request_id: str
    report: OrderReport


class ReplaceRefused(Body, frozen=True):
    """The venue keeps the old terms, or has no such open order; the order's own fate is asked separately."""

    cl_ord_id: str
    request_id: str
    venue_code: str
    text: str


class ReplaceDoubted(Body, frozen=True):
    """No trustworthy answer to the replace came: the larger quantity stays reserved."""

    cl_ord_id: str
    request_id: str
    reason: str


class ReplacementIntended(Body, frozen=True):
    """A strategy wants this order on other terms where the venue has no atomic replace: cancel, proof, new intent.

    `order_qty` counts what the order has traded already; `request_id` is that of its cancel.
    """

    cl_ord_id: str
    request_id: str
    order_qty: Decimal
    px: Decimal | None
    reason: str = ""


class ReplacementDropped(Body, frozen=True):
    """No order takes the place of this one: nothing remains, the venue kept it, or it may not be sent now."""

    cl_ord_id: str
    reason: str


class HoleSeen(Body, frozen=True):
    """The venue counts more filled (`report.cum_qty`) than our trades sum to: trades are to be fetched."""

    cl_ord_id: str
    report: OrderReport


class TradeBooked(Body, frozen=True):
    """W4: one venue trade, by its key (venue account, symbol, trade_id), with its position and balances.

    `cl_ord_id` names the order it was attributed to, "" when no order of this account is known for it.
    `displaced_qty`: how much of it takes the place of synthetic fills, which the order's strategy heard of.
    """

    trade: TradeReport
    source: str
    cl_ord_id: str = ""
    displaced_qty: Decimal = ZERO


class TradeAttributed(Body, frozen=True):
    """A trade that is in our sums without its order has found it: the order's sums move, position and cash do not.

    It was booked without an owner before; or, `in_opening`, the balances that sums start with hold it.
    `displaced_qty` as in TradeBooked.
    """

    cl_ord_id: str
    trade: TradeReport
    in_opening: bool = False
    displaced_qty: Decimal = ZERO


class TradeInferred(Body, frozen=True):
    """A hole outlived its grace: a synthetic fill that real trades of the order replace, never add to.

    `told`: the order's strategy hears of it now. Where it is not said, it hears of the trades that replace it.
    """

    cl_ord_id: str
    trade: TradeReport
    cum_from: Decimal
    cum_to: Decimal
    told: bool = False


class TradeBusted(Body, frozen=True):
    """The venue took a booked trade back; `trade` is the trade as it was booked.

    With `request_pos` a named operator says so, to whom the venue told it.
    """

    cl_ord_id: str
    trade: TradeReport
    reason: str = ""
    by: str = ""
    request_pos: int = 0


class TradeCorrected(Body, frozen=True):
    """The venue changed a booked trade: same key, other price or quantity, by an explicit message.

    With `request_pos` a named operator says so, to whom the venue told it.
    """

    cl_ord_id: str
    before: TradeReport
    after: TradeReport
    reason: str = ""
    by: str = ""
    request_pos: int = 0


class TradeConflicted(Body, frozen=True):
    """A known trade key came back with another price or quantity: an operator must look; nothing overwritten."""

    booked: TradeReport
    reported: TradeReport


class ForeignOrderSeen(Body, frozen=True):
    """An order on the account that is not ours: its exposure counts, we do not touch it."""

    report: OrderReport


class ForeignOrderGone(Body, frozen=True):
    """An order that is not ours is neither listed nor known any more: nothing is reserved for it until it shows again.

    With `request_pos` a named operator says so, who looked at the venue himself.
    """

    cl_ord_id: str
    reason: str
    by: str = ""
    request_pos: int = 0


class CursorAdvanced(Body, frozen=True):
    """Every trade of the symbol up to this id is booked: polls start after it. `trade_ns`: the trade's venue time."""

    symbol: str
    trade_id: str
    trade_ns: int = 0


KINDS: dict[str, type[Body]] = {
    "account.opened": AccountOpened,
    "order.intended": OrderIntended,
    "order.denied": OrderDenied,
    "order.accepted": OrderAccepted,
    "order.refused": OrderRefused,
    "order.doubted": OrderDoubted,
    "order.ended": OrderEnded,
    "order.reopened": OrderReopened,
    "not_found.counted": NotFoundCounted,
    "order.abandoned": OrderAbandoned,
    "order.quarantined": OrderQuarantined,
    "order.adopted": OrderAdopted,
    "order.restated": OrderRestated,
    "order.flagged": OrderFlagged,
    "order.revived": OrderRevived,
    "cancel.intended": CancelIntended,
    "cancel.refused": CancelRefused,
    "cancel.doubted": CancelDoubted,
    "emergency_cancel.sent": EmergencyCancelSent,
    "request.acknowledged": RequestAcknowledged,
    "replace.intended": ReplaceIntended,
    "replace.accepted": ReplaceAccepted,
    "replace.refused": ReplaceRefused,
    "replace.doubted": ReplaceDoubted,
    "replacement.intended": ReplacementIntended,
    "replacement.dropped": ReplacementDropped,
    "hole.seen": HoleSeen,
    "trade.booked": TradeBooked,
    "trade.attributed": TradeAttributed,
    "trade.inferred": TradeInferred,
    "trade.busted": TradeBusted,
    "trade.corrected": TradeCorrected,
    "trade.conflicted": TradeConflicted,
    "foreign_order.seen": ForeignOrderSeen,
    "foreign_order.gone": ForeignOrderGone,
    "cursor.advanced": CursorAdvanced,
    "account.adjusted": AccountAdjusted,
    "symbol.blocked": SymbolBlocked,
    "symbol.released": SymbolReleased,
    "strategy.blamed": StrategyBlamed,
    "strategy.restarted": StrategyRestarted,
    "strategy.disabled": StrategyDisabled,
    "projections.rebuilt": ProjectionsRebuilt,
    "strategy.saved": StrategySaved,
    "desk.reconciled": DeskReconciled,
    "desk.mode_changed": DeskModeChanged,
    "desk.found_behind": DeskFoundBehind,
    "desk.numbers_skipped": DeskNumbersSkipped,
    "desk.key_refused": DeskKeyRefused,
    "desk.key_accepted": DeskKeyAccepted,
    "desk.killed": DeskKilled,
    "desk.kill_verified": DeskKillVerified,
    "desk.kill_lifted": DeskKillLifted,
}
KINDS |= PERMIT_KINDS

KIND_OF: dict[type[Body], str] = {body: kind for kind, body in KINDS.items()}
