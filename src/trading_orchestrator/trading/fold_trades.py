"""How facts about trades change a desk: orders, position, balances and what is remembered of each trade."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.folded import Desk, Fold, TradeRow
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders.ledger import KnownTrade
from trading_orchestrator.trading.orders.order import Inferred, Order
from trading_orchestrator.trading.orders.stored import BUSTED


def _trade_booked(desk: Desk, body: f.TradeBooked, at_ns: int) -> None:
    trade = body.trade
    if body.cl_ord_id:
        order = desk.shelf.need(body.cl_ord_id)
        _displace(desk, order, trade)
        desk.keep(evolve.traded(order, trade), at_ns)
    desk.book(trade)
    key = desk.state.trade_key(trade.symbol, trade.trade_id)
    known = replace(_known(trade), owned=bool(body.cl_ord_id), seq=desk.state.seq + 1)
    desk.state.remember_trade(key, known)
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
    desk.keep(evolve.inferred(desk.shelf.need(body.cl_ord_id), body.trade, told=body.told), at_ns)
    desk.book(body.trade)
    desk.state.explain_anew()
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
    after = body.after
    desk.state.remember_trade(key, replace(known, qty=after.last_qty, px=after.last_px, at_ns=after.at_ns, told=told))
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


FOLDS_OF_TRADES: dict[type[f.Body], Fold] = {
    f.TradeBooked: _trade_booked,
    f.TradeAttributed: _trade_attributed,
    f.TradeInferred: _trade_inferred,
    f.TradeBusted: _trade_busted,
    f.TradeCorrected: _trade_corrected,
    f.TradeConflicted: _trade_conflicted,
}
