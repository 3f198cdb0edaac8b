"""How each kind of fact changes a desk: one small function a kind, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from trading_orchestrator.brokers.port import OrderReport, TradeReport
from trading_orchestrator.errors import Broken
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders.ledger import KnownTrade
from trading_orchestrator.trading.orders.order import Inferred, Order
from trading_orchestrator.trading.orders.requests import Request, RequestKind, RequestOn
from trading_orchestrator.trading.orders.shelf import Shelf, UnknownOrder
from trading_orchestrator.trading.orders.stored import BUSTED
from trading_orchestrator.trading.positions.balances import changes_of, with_changes
from trading_orchestrator.trading.positions.position import Position, book_trade, bust_trade
from trading_orchestrator.trading.state import (
    RECENT_INTENTS,
    RECENT_INTENTS_NS,
    Reconciled,
    State,
)


class IntentTaken(Broken):
    """An intent has a live order already, or an order id exists: sending it again is forbidden (I1)."""

    code = "book.intent_taken"


@dataclass
class TradeRow:
    """A trade whose projection row changes. `gone`: a synthetic fill that real trades replaced whole."""

    trade: TradeReport
    cl_ord_id: str
    source: str
    state: str = "booked"
    gone: bool = False


@dataclass
class Desk:
    """The state under the fold with its orders shelved, and what the present fact touched."""

    state: State
    shelf: Shelf
    orders: dict[str, Order] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    trades: dict[str, TradeRow] = field(default_factory=dict)
    symbols: dict[str, None] = field(default_factory=dict)

    def keep(self, order: Order, at_ns: int) -> None:
        """Hold the order's new version and mark its row as changed."""
        order = evolve.stamped(order, at_ns)
        before = self.shelf.get(order.cl_ord_id)
        if order.venue_order_id and (before is None or before.venue_order_id != order.venue_order_id):
            self.ids[f"{order.symbol}#{order.venue_order_id}"] = order.cl_ord_id
        self.shelf.put(order)
        self.orders[order.cl_ord_id] = order

    def book(self, trade: TradeReport) -> None:
        """Move position and balances by a trade."""
        self._positioned(book_trade(self.state.position(trade.symbol), trade))
        self.state.balances = with_changes(self.state.balances, changes_of(trade))

    def unbook(self, trade: TradeReport) -> None:
        """Move position and balances back."""
        self._positioned(bust_trade(self.state.position(trade.symbol), trade))
        self.state.balances = with_changes(self.state.balances, changes_of(trade), sign=-1)

    def _positioned(self, position: Position) -> None:
        self.state.positions[position.symbol] = position
        self.symbols[position.symbol] = None

    def of_report(self, report: OrderReport) -> Order:
        """Return the held order a report speaks of."""
        order = self.shelf.find(symbol=report.symbol, cl_ord_id=report.cl_ord_id, venue_order_id=report.venue_order_id)
        if order is None:
            raise UnknownOrder(
                f"expected to hold order {report.cl_ord_id or report.venue_order_id!r}: revive it first",
                cl_ord_id=report.cl_ord_id,
                venue_order_id=report.venue_order_id,
            )
        return order


def _account_opened(desk: Desk, body: f.AccountOpened, at_ns: int) -> None:
    if desk.state.opened:
        raise Broken(f"account {body.account} was opened already: its sums start there", account=body.account)
    desk.state.opened = True
    desk.state.balances = with_changes(body.balances, desk.state.balances)
    desk.state.cursors = {**body.trade_cursor, **desk.state.cursors}


def _order_intended(desk: Desk, body: f.OrderIntended, at_ns: int) -> None:
    live = desk.shelf.live_of_intent(body.intent_id)
    if live is not None or desk.shelf.get(body.order.cl_ord_id) is not None:
        raise IntentTaken(
            f"intent {body.intent_id} generation {body.generation} already has an order",
            intent_id=body.intent_id,
            cl_ord_id=body.order.cl_ord_id,
        )
    order = evolve.intended(
        body.order,
        intent_id=body.intent_id,
        generation=body.generation,
        strategy=body.strategy,
        reserved_notional=body.reserved_notional,
    )
    desk.keep(order, at_ns)
    _count_intent(desk.state, body.strategy, body.generation)
    desk.state.counts.orders += 1
    recent = [ns for ns in desk.state.intended_ns if abs(at_ns - ns) < RECENT_INTENTS_NS]
    desk.state.intended_ns = [*recent, at_ns][-RECENT_INTENTS:]


def _order_denied(desk: Desk, body: f.OrderDenied, at_ns: int) -> None:
    order = evolve.intended(
        body.order,
        intent_id=body.intent_id,
        generation=body.generation,
        strategy=body.strategy,
        reserved_notional=ZERO,
    )
    desk.keep(evolve.refused(order, f"{body.code}: {body.text}"), at_ns)
    _count_intent(desk.state, body.strategy, body.generation)
    desk.state.counts.denied += 1


def _count_intent(state: State, strategy: str, generation: int) -> None:
    if generation == 0:
        state.intents[strategy] = state.intents.get(strategy, 0) + 1


def _order_accepted(desk: Desk, body: f.OrderAccepted, at_ns: int) -> None:
    desk.keep(evolve.accepted(desk.of_report(body.report), body.report), at_ns)


def _order_refused(desk: Desk, body: f.OrderRefused, at_ns: int) -> None:
    desk.keep(evolve.refused(desk.shelf.need(body.cl_ord_id), f"{body.venue_code}: {body.text}"), at_ns)
    desk.state.counts.refused += 1


def _order_doubted(desk: Desk, body: f.OrderDoubted, at_ns: int) -> None:
    desk.keep(evolve.doubted(desk.shelf.need(body.cl_ord_id), at_ns, body.reason), at_ns)
    desk.state.counts.doubted += 1


def _order_ended(desk: Desk, body: f.OrderEnded, at_ns: int) -> None:
    desk.keep(evolve.ended(desk.of_report(body.report), body.report), at_ns)


def _order_abandoned(desk: Desk, body: f.OrderAbandoned, at_ns: int) -> None:
    desk.keep(evolve.abandoned(desk.shelf.need(body.cl_ord_id)), at_ns)


def _order_quarantined(desk: Desk, body: f.OrderQuarantined, at_ns: int) -> None:
    desk.keep(evolve.quarantined(desk.shelf.need(body.cl_ord_id), body.reason), at_ns)


def _order_adopted(desk: Desk, body: f.OrderAdopted, at_ns: int) -> None:
    desk.keep(evolve.found(body.report, key=body.report.cl_ord_id, foreign=False), at_ns)


def _foreign_order_seen(desk: Desk, body: f.ForeignOrderSeen, at_ns: int) -> None:
    report = body.report
    desk.keep(evolve.found(report, key=evolve.foreign_key(report), foreign=True), at_ns)


def _order_restated(desk: Desk, body: f.OrderRestated, at_ns: int) -> None:
    desk.keep(evolve.restated(desk.shelf.need(body.cl_ord_id), body.report), at_ns)


def _order_revived(desk: Desk, body: f.OrderRevived, at_ns: int) -> None:
    order = msgspec.json.decode(body.record, type=Order)
    if desk.shelf.get(order.cl_ord_id) is None:
        desk.shelf.put(order)


def _order_flagged(desk: Desk, body: f.OrderFlagged, at_ns: int) -> None:
    desk.state.counts.flagged += 1


def _cancel_intended(desk: Desk, body: f.CancelIntended, at_ns: int) -> None:
    request = Request(request_id=body.request_id, kind=RequestKind.CANCEL)
    desk.keep(evolve.asked(desk.shelf.need(body.cl_ord_id), request), at_ns)
    desk.ids[body.request_id] = body.cl_ord_id


def _replace_intended(desk: Desk, body: f.ReplaceIntended, at_ns: int) -> None:
    request = Request(request_id=body.request_id, kind=RequestKind.REPLACE, order_qty=body.order_qty, px=body.px)
    desk.keep(evolve.asked(desk.shelf.need(body.cl_ord_id), request), at_ns)
    desk.ids[body.request_id] = body.cl_ord_id


def _request_acknowledged(desk: Desk, body: f.RequestAcknowledged, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.acknowledged(order, body.request_id, body.report), at_ns)


def _replace_accepted(desk: Desk, body: f.ReplaceAccepted, at_ns: int) -> None:
    desk.keep(evolve.replaced(desk.shelf.need(body.cl_ord_id), body.request_id, body.report), at_ns)


def _request_refused(desk: Desk, body: f.CancelRefused | f.ReplaceRefused, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.request_moved(order, body.request_id, RequestOn.REFUSED), at_ns)


def _request_doubted(desk: Desk, body: f.CancelDoubted | f.ReplaceDoubted, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.request_moved(order, body.request_id, RequestOn.DOUBTED), at_ns)


def _hole_seen(desk: Desk, body: f.HoleSeen, at_ns: int) -> None:
    desk.keep(evolve.accepted(desk.shelf.need(body.cl_ord_id), body.report), at_ns)


def _trade_booked(desk: Desk, body: f.TradeBooked, at_ns: int) -> None:
    trade = body.trade
    if body.cl_ord_id:
        order = desk.shelf.need(body.cl_ord_id)
        _displace(desk, order, trade)
        desk.keep(evolve.traded(order, trade), at_ns)
    desk.book(trade)
    key = desk.state.trade_key(trade.symbol, trade.trade_id)
    desk.state.remember_trade(key, replace(_known(trade), owned=bool(body.cl_ord_id)))
    desk.trades[key] = TradeRow(trade, body.cl_ord_id, body.source)
    desk.state.counts.trades += 1


def _trade_attributed(desk: Desk, body: f.TradeAttributed, at_ns: int) -> None:
    trade = body.trade
    order = desk.shelf.need(body.cl_ord_id)
    _displace(desk, order, trade)
    desk.keep(evolve.traded(order, trade), at_ns)
    key = desk.state.trade_key(trade.symbol, trade.trade_id)
    known = desk.state.trades.get(key) or _known(trade)
    desk.state.remember_trade(key, replace(known, owned=True))
    desk.trades[key] = TradeRow(trade, body.cl_ord_id, "attributed")


def _displace(desk: Desk, order: Order, trade: TradeReport) -> None:
    """Take the synthetic fills out that this real trade replaces."""
    left = {part.trade_id: part.qty for part in evolve.displace(order.inferred, trade.last_qty)}
    for part in order.inferred:
        rest_qty = left.get(part.trade_id, ZERO)
        if rest_qty == part.qty:
            continue
        desk.unbook(_synthetic(order, part, part.qty - rest_qty))
        row = TradeRow(_synthetic(order, part, rest_qty), order.cl_ord_id, "hole", "inferred", gone=not rest_qty)
        desk.trades[desk.state.trade_key(order.symbol, part.trade_id)] = row


def _synthetic(order: Order, part: Inferred, qty: Decimal) -> TradeReport:
    return TradeReport(
        symbol=order.symbol,
        trade_id=part.trade_id,
        venue_order_id=order.venue_order_id,
        cl_ord_id=order.cl_ord_id,
        side=order.side,
        last_qty=qty,
        last_px=part.px,
        fee=ZERO,
        fee_asset="",
        at_ns=part.at_ns,
    )


def _trade_inferred(desk: Desk, body: f.TradeInferred, at_ns: int) -> None:
    desk.keep(evolve.inferred(desk.shelf.need(body.cl_ord_id), body.trade), at_ns)
    desk.book(body.trade)
    key = desk.state.trade_key(body.trade.symbol, body.trade.trade_id)
    desk.trades[key] = TradeRow(body.trade, body.cl_ord_id, "hole", "inferred")
    desk.state.counts.inferred += 1


def _trade_busted(desk: Desk, body: f.TradeBusted, at_ns: int) -> None:
    trade = body.trade
    if body.cl_ord_id:
        desk.keep(evolve.busted(desk.shelf.need(body.cl_ord_id), trade, at_ns), at_ns)
    desk.unbook(trade)
    key = desk.state.trade_key(trade.symbol, trade.trade_id)
    known = desk.state.trades.get(key) or _known(trade)
    desk.state.remember_trade(key, replace(known, busted=True))
    desk.trades[key] = TradeRow(trade, body.cl_ord_id, "venue", BUSTED)
    desk.state.counts.busted += 1


def _trade_corrected(desk: Desk, body: f.TradeCorrected, at_ns: int) -> None:
    if body.cl_ord_id:
        order = desk.shelf.need(body.cl_ord_id)
        desk.keep(evolve.corrected(order, body.before, body.after, at_ns), at_ns)
    desk.unbook(body.before)
    desk.book(body.after)
    key = desk.state.trade_key(body.after.symbol, body.after.trade_id)
    known = desk.state.trades.get(key) or _known(body.before)
    told = (*known.told, (body.before.last_qty, body.before.last_px))
    desk.state.remember_trade(key, replace(_known(body.after), told=told))
    desk.trades[key] = TradeRow(body.after, body.cl_ord_id, "venue", "corrected")


def _known(trade: TradeReport) -> KnownTrade:
    return KnownTrade(qty=trade.last_qty, px=trade.last_px, at_ns=trade.at_ns)


def _trade_conflicted(desk: Desk, body: f.TradeConflicted, at_ns: int) -> None:
    """Remember what was told besides, so that the same conflict is reported once."""
    key = desk.state.trade_key(body.booked.symbol, body.booked.trade_id)
    known = desk.state.trades.get(key) or _known(body.booked)
    told = (*known.told, (body.reported.last_qty, body.reported.last_px))
    desk.state.remember_trade(key, replace(known, told=told))
    desk.state.counts.flagged += 1


def _cursor_advanced(desk: Desk, body: f.CursorAdvanced, at_ns: int) -> None:
    desk.state.cursors = {**desk.state.cursors, body.symbol: body.trade_id}


def _account_adjusted(desk: Desk, body: f.AccountAdjusted, at_ns: int) -> None:
    desk.state.balances = with_changes(desk.state.balances, {body.asset: body.qty})
    desk.state.request_pos = max(desk.state.request_pos, body.request_pos)


def _symbol_blocked(desk: Desk, body: f.SymbolBlocked, at_ns: int) -> None:
    desk.state.blocked = {**desk.state.blocked, body.symbol: body.code}


def _symbol_released(desk: Desk, body: f.SymbolReleased, at_ns: int) -> None:
    desk.state.blocked = {symbol: code for symbol, code in desk.state.blocked.items() if symbol != body.symbol}


def _strategy_saved(desk: Desk, body: f.StrategySaved, at_ns: int) -> None:
    desk.state.strategy_states[body.strategy] = body.state.copy()


def _desk_reconciled(desk: Desk, body: f.DeskReconciled, at_ns: int) -> None:
    desk.state.reconciled = Reconciled(
        green=body.green, at_ns=at_ns, unknown=body.unknown, differences=body.differences
    )


def _desk_mode_changed(desk: Desk, body: f.DeskModeChanged, at_ns: int) -> None:
    desk.state.mode = body.mode
    desk.state.mode_reason = f"{body.by}: {body.reason}"
    desk.state.request_pos = max(desk.state.request_pos, body.request_pos)


def _desk_killed(desk: Desk, body: f.DeskKilled, at_ns: int) -> None:
    desk.state.killed = f"{body.by}: {body.reason}"
    desk.state.kill_verified = False
    desk.state.request_pos = max(desk.state.request_pos, body.request_pos)


def _desk_kill_verified(desk: Desk, body: f.DeskKillVerified, at_ns: int) -> None:
    desk.state.kill_verified = True


def _desk_kill_lifted(desk: Desk, body: f.DeskKillLifted, at_ns: int) -> None:
    desk.state.killed = ""
    desk.state.kill_verified = False
    desk.state.request_pos = max(desk.state.request_pos, body.request_pos)


FOLDS: dict[type[f.Body], Callable[[Desk, Any, int], None]] = {
    f.AccountOpened: _account_opened,
    f.OrderIntended: _order_intended,
    f.OrderDenied: _order_denied,
    f.OrderAccepted: _order_accepted,
    f.OrderRefused: _order_refused,
    f.OrderDoubted: _order_doubted,
    f.OrderEnded: _order_ended,
    f.OrderAbandoned: _order_abandoned,
    f.OrderQuarantined: _order_quarantined,
    f.OrderAdopted: _order_adopted,
    f.OrderRestated: _order_restated,
    f.OrderFlagged: _order_flagged,
    f.OrderRevived: _order_revived,
    f.CancelIntended: _cancel_intended,
    f.CancelRefused: _request_refused,
    f.CancelDoubted: _request_doubted,
    f.RequestAcknowledged: _request_acknowledged,
    f.ReplaceIntended: _replace_intended,
    f.ReplaceAccepted: _replace_accepted,
    f.ReplaceRefused: _request_refused,
    f.ReplaceDoubted: _request_doubted,
    f.HoleSeen: _hole_seen,
    f.TradeBooked: _trade_booked,
    f.TradeAttributed: _trade_attributed,
    f.TradeInferred: _trade_inferred,
    f.TradeBusted: _trade_busted,
    f.TradeCorrected: _trade_corrected,
    f.TradeConflicted: _trade_conflicted,
    f.ForeignOrderSeen: _foreign_order_seen,
    f.CursorAdvanced: _cursor_advanced,
    f.AccountAdjusted: _account_adjusted,
    f.SymbolBlocked: _symbol_blocked,
    f.SymbolReleased: _symbol_released,
    f.StrategySaved: _strategy_saved,
    f.DeskReconciled: _desk_reconciled,
    f.DeskModeChanged: _desk_mode_changed,
    f.DeskKilled: _desk_killed,
    f.DeskKillVerified: _desk_kill_verified,
    f.DeskKillLifted: _desk_kill_lifted,
}
