"""Accounts, orders and trades: a fold over the venue's facts, live and after a restart."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from trading_orchestrator.practice_venue.facts import (
    ZERO,
    AccountOpened,
    AccountTransferred,
    CountersSet,
    Fact,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderTraded,
    TradeBusted,
    TradeCorrected,
    TradeIdsReserved,
)


class Balance(msgspec.Struct, gc=False):
    free: Decimal = ZERO
    locked: Decimal = ZERO


class Order(msgspec.Struct, gc=False):
    """An order as the venue sees it; `locked` is what it still holds of its account's balance."""

    order_id: int
    account: str
    symbol: str
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    price: Decimal
    qty: Decimal
    quote_order_qty: Decimal
    accepted_ms: int
    updated_ms: int
    locked_asset: str
    locked: Decimal
    external: bool
    status: str = "NEW"
    cum_qty: Decimal = ZERO
    cum_quote_qty: Decimal = ZERO

    @property
    def leaves_qty(self) -> Decimal:
        return self.qty - self.cum_qty

    @property
    def is_open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")


class Ledger:
    """What every account holds, ordered and traded. Only `apply` changes it."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, Balance]] = {}
        self.orders: dict[int, Order] = {}
        self.open_orders: dict[tuple[str, str], Order] = {}
        self.next_order_id = 1
        self.next_trade_id: dict[str, int] = defaultdict(lambda: 1)
        self.last_at_ms = 0
        self.last_seq = 0
        self._latest_by_client_id: dict[tuple[str, str, str], Order] = {}
        self._orders: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self._trades: dict[tuple[str, str], list[OrderTraded]] = defaultdict(list)
        self._trades_of_order: dict[int, list[OrderTraded]] = defaultdict(list)
        self._apply_by_type: dict[type[Fact], Any] = {
            AccountOpened: self._account_opened,
            AccountTransferred: self._account_transferred,
            OrderAccepted: self._order_accepted,
            OrderTraded: self._order_traded,
            OrderCanceled: self._order_canceled,
            OrderExpired: self._order_expired,
            TradeIdsReserved: self._trade_ids_reserved,
            TradeBusted: self._trade_busted,
            TradeCorrected: self._trade_corrected,
            CountersSet: self._counters_set,
        }

    def apply(self, fact: Fact) -> None:
        """Take one fact in. Facts without an effect here (refusals, faults) only move the counters."""
        self.last_seq = fact.seq
        self.last_at_ms = fact.at_ms
        apply = self._apply_by_type.get(type(fact))
        if apply is not None:
            apply(fact)

    def balance(self, account: str, asset: str) -> Balance:
        return self.accounts[account].setdefault(asset, Balance())

    def order_by_id(self, account: str, symbol: str, order_id: int) -> Order | None:
        order = self.orders.get(order_id)
        return order if order is not None and (order.account, order.symbol) == (account, symbol) else None

    def order_by_client_id(self, account: str, symbol: str, client_order_id: str) -> Order | None:
        """Return the open order with the id, else the latest one: ids may be used again once an order is closed."""
        live = self.open_orders.get((account, client_order_id))
        if live is not None and live.symbol == symbol:
            return live
        return self._latest_by_client_id.get((account, symbol, client_order_id))

    def open_orders_of(self, account: str, symbol: str | None) -> list[Order]:
        found = [o for (name, _), o in self.open_orders.items() if name == account and symbol in (None, o.symbol)]
        return sorted(found, key=lambda order: order.order_id)

    def orders_of(self, account: str, symbol: str) -> list[Order]:
        """Return every order, ids and times rising; the caller must not change the list."""
        return self._orders[account, symbol]

    def trades_of(self, account: str, symbol: str) -> list[OrderTraded]:
        """Return every trade, ids and times rising; the caller must not change the list."""
        return self._trades[account, symbol]

    def trades_of_order(self, order_id: int) -> list[OrderTraded]:
        return self._trades_of_order.get(order_id, [])

    def _account_opened(self, fact: AccountOpened) -> None:
        self.accounts[fact.account] = {asset: Balance(free=qty) for asset, qty in fact.balances.items()}

    def _account_transferred(self, fact: AccountTransferred) -> None:
        self.balance(fact.account, fact.asset).free += fact.qty

    def _order_accepted(self, fact: OrderAccepted) -> None:
        order = Order(
            order_id=fact.order_id,
            account=fact.account,
            symbol=fact.symbol,
            client_order_id=fact.client_order_id,
            side=fact.side,
            type=fact.type,
            time_in_force=fact.time_in_force,
            price=fact.price,
            qty=fact.qty,
            quote_order_qty=fact.quote_order_qty,
            accepted_ms=fact.at_ms,
            updated_ms=fact.at_ms,
            locked_asset=fact.locked_asset,
            locked=fact.locked_qty,
            external=fact.external,
        )
        balance = self.balance(fact.account, fact.locked_asset)
        balance.free -= fact.locked_qty
        balance.locked += fact.locked_qty
        self.orders[order.order_id] = order
        self.open_orders[order.account, order.client_order_id] = order
        self._latest_by_client_id[order.account, order.symbol, order.client_order_id] = order
        self._orders[order.account, order.symbol].append(order)
        self.next_order_id = max(self.next_order_id, order.order_id + 1)

    def _order_traded(self, fact: OrderTraded) -> None:
        order = self.orders[fact.order_id]
        was_open = order.is_open
        order.cum_qty = fact.cum_qty
        order.cum_quote_qty = fact.cum_quote_qty
        order.status = fact.order_status
        order.updated_ms = fact.at_ms
        self._move_money(order, fact)
        self._trades[fact.account, fact.symbol].append(fact)
        self._trades_of_order[fact.order_id].append(fact)
        self.next_trade_id[fact.symbol] = max(self.next_trade_id[fact.symbol], fact.trade_id + 1)
        if was_open and not order.is_open:
            self._close(order)

    def _move_money(self, order: Order, trade: OrderTraded) -> None:
        """Pay from what the order holds, and what is beyond it (an overfill) from the free balance."""
        spent, received = _exchanged(trade)
        held = min(spent, order.locked)
        balance = self.balance(trade.account, order.locked_asset)
        balance.locked -= held
        balance.free -= spent - held
        order.locked -= held
        self.balance(trade.account, trade.commission_asset).free += received
        self._release(order, keep=self._still_needed(order))

    def _trade_busted(self, fact: TradeBusted) -> None:
        self._take_back(self._taken_out(fact))

    def _trade_corrected(self, fact: TradeCorrected) -> None:
        wrong = self._trade_of(fact)
        self._take_back(wrong)
        right = replace(wrong, price=fact.price, quote_qty=fact.price * wrong.qty)
        order = self.orders[right.order_id]
        order.cum_qty += right.qty
        order.cum_quote_qty += right.quote_qty
        self._move_money(order, right)
        for listed in (self._trades[right.account, right.symbol], self._trades_of_order[right.order_id]):
            listed[listed.index(wrong)] = right

    def _taken_out(self, fact: TradeBusted) -> OrderTraded:
        trade = self._trade_of(fact)
        self._trades[trade.account, trade.symbol].remove(trade)
        self._trades_of_order[trade.order_id].remove(trade)
        return trade

    def _trade_of(self, fact: TradeBusted | TradeCorrected) -> OrderTraded:
        return next(trade for trade in self._trades_of_order[fact.order_id] if trade.trade_id == fact.trade_id)

    def _take_back(self, trade: OrderTraded) -> None:
        order = self.orders[trade.order_id]
        order.cum_qty -= trade.qty
        order.cum_quote_qty -= trade.quote_qty
        spent, received = _exchanged(trade)
        self.balance(trade.account, order.locked_asset).free += spent
        self.balance(trade.account, trade.commission_asset).free -= received

    def _counters_set(self, fact: CountersSet) -> None:
        self.next_order_id = fact.next_order_id
        self.next_trade_id[fact.symbol] = fact.next_trade_id
        for order_id in [order_id for order_id in self.orders if order_id >= fact.next_order_id]:
            gone = self.orders.pop(order_id)
            self._trades_of_order.pop(order_id, None)
            self._orders[gone.account, gone.symbol].remove(gone)
            self._latest_by_client_id.pop((gone.account, gone.symbol, gone.client_order_id), None)
        for (_, symbol), listed in self._trades.items():
            if symbol == fact.symbol:
                listed[:] = [trade for trade in listed if trade.trade_id < fact.next_trade_id]

    def _order_canceled(self, fact: OrderCanceled) -> None:
        self._finish(self.orders[fact.order_id], "CANCELED", fact.at_ms)

    def _order_expired(self, fact: OrderExpired) -> None:
        status = "EXPIRED_IN_MATCH" if fact.reason == "SELF_TRADE" else "EXPIRED"
        self._finish(self.orders[fact.order_id], status, fact.at_ms)

    def _trade_ids_reserved(self, fact: TradeIdsReserved) -> None:
        self.next_trade_id[fact.symbol] = max(self.next_trade_id[fact.symbol], fact.up_to)

    def _finish(self, order: Order, status: str, at_ms: int) -> None:
        order.status = status
        order.updated_ms = at_ms
        self._release(order, keep=ZERO)
        self._close(order)

    def _close(self, order: Order) -> None:
        self._release(order, keep=ZERO)
        del self.open_orders[order.account, order.client_order_id]

    def _release(self, order: Order, *, keep: Decimal) -> None:
        balance = self.balance(order.account, order.locked_asset)
        freed = order.locked - keep
        balance.locked -= freed
        balance.free += freed
        order.locked = keep

    def _still_needed(self, order: Order) -> Decimal:
        """A limit buy filled below its price frees the difference at once; a market order only when it closes."""
        if order.side == "BUY" and order.price:
            return order.price * max(order.leaves_qty, ZERO)
        return order.locked


def _exchanged(trade: OrderTraded) -> tuple[Decimal, Decimal]:
    """Return what the side gave and, after its fee, received."""
    if trade.side == "BUY":
        return trade.quote_qty, trade.qty - trade.commission
    return trade.qty, trade.quote_qty - trade.commission
