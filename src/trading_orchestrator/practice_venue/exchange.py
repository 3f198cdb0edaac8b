"""Places, matches and cancels orders; every change is a fact, logged before it is told.

Concurrency: single-threaded and without awaits, so each command is atomic.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from trading_orchestrator.practice_venue.facts import (
    AccountOpened,
    AccountTransferred,
    CountersSet,
    Fact,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderTraded,
    TradeIdsReserved,
)
from trading_orchestrator.practice_venue.ledger import Ledger, Order
from trading_orchestrator.practice_venue.market import Level, Market, Print
from trading_orchestrator.practice_venue.matching import (
    Match,
    cost_of,
    plan_matches,
    qty_for_quote,
    traded_qty,
    would_take,
)
from trading_orchestrator.practice_venue.order_request import OrderRequest
from trading_orchestrator.practice_venue.refusals import filter_failed, order_rejected, refusal
from trading_orchestrator.practice_venue.venue_log import VenueLog

_EIGHT_DECIMALS = Decimal("0.00000001")
_TRADE_ID_BLOCK = 10_000


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of the received asset."""

    maker_ratio: Decimal
    taker_ratio: Decimal


class Listener:
    """Hears what happened, after it is in the log. The default hears nothing."""

    def on_fact(self, fact: Fact, order: Order | None) -> None:
        """Called while the fact is applied: the order stands as the fact left it. Must not send yet."""

    def on_batch_logged(self) -> None:
        """The facts heard since the last call are in the log: send."""

    def on_print(self, market: Market, trade: Print) -> None: ...

    def on_quote(self, market: Market) -> None: ...


class Exchange:
    """All markets and accounts of one venue."""

    def __init__(
        self, ledger: Ledger, log: VenueLog, markets: Iterable[Market], fees: Fees, now_ms: Callable[[], int]
    ) -> None:
        self.ledger = ledger
        self.markets = {market.instrument.symbol: market for market in markets}
        self.listener = Listener()
        self._log = log
        self._fees = fees
        self._now_ms = now_ms
        self._batch: list[Fact] = []
        self._prints: list[tuple[Market, Print]] = []
        self._reserved_to: dict[str, int] = {}
        self._delisted: set[str] = set()
        for order in ledger.open_orders.values():
            self.markets[order.symbol].resting[order.side].add(order)

    def market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None or symbol in self._delisted:
            raise refusal(-1121)
        return market

    def listed(self) -> list[Market]:
        """Return the markets that anybody is told of."""
        return [market for symbol, market in self.markets.items() if symbol not in self._delisted]

    def delist(self, symbol: str) -> None:
        """Know the symbol no more, until the venue is started anew; its orders stay as they are."""
        self._delisted.add(self.market(symbol).instrument.symbol)

    def record(self, fact: Fact) -> None:
        """Log a fact that stands for itself."""
        self._emit(fact)
        self._finish_batch()

    def open_account(self, name: str, balances: dict[str, Decimal]) -> None:
        self.record(AccountOpened(account=name, balances=balances))

    def transfer(self, account: str, asset: str, qty: Decimal) -> None:
        """Deposit, or withdraw a negative quantity. Raises ValueError when more is withdrawn than is free."""
        free = self.ledger.balance(account, asset).free
        if free + qty < 0:
            raise ValueError(f"expected a withdrawal of at most {free} {asset}, was {-qty}")
        self.record(AccountTransferred(account=account, asset=asset, qty=qty))

    def place(self, account: str, request: OrderRequest, *, external: bool = False) -> Order:
        """Accept and match the order, or raise the refusal and change nothing."""
        market = self.market(request.symbol)
        qty = self._checked_qty(account, market, request)
        if request.client_order_id is not None and (account, request.client_order_id) in self.ledger.open_orders:
            raise order_rejected("Duplicate order sent.")
        if request.type == "LIMIT_MAKER" and would_take(market, request.side, request.price):
            raise order_rejected("Order would immediately match and take.")
        limit_price = request.price or None
        matches = plan_matches(market, account=account, side=request.side, limit_price=limit_price, qty=qty)
        asset, locked = self._lock(market, request, qty, matches)
        if self.ledger.balance(account, asset).free < locked:
            raise order_rejected("Account has insufficient balance for requested action.")
        order = self._accept(account, market, request, qty, asset, locked, external=external)
        if request.time_in_force == "FOK" and traded_qty(matches) < qty:
            matches = []
        for match in matches:
            self._execute(market, order, match)
        self._settle_rest(market, order)
        self._finish_batch(market)
        return order

    def cancel(self, order: Order, *, cancel_id: str | None, sent_ms: int | None, external: bool = False) -> str:
        """Cancel an open order and return the id of the cancel."""
        used_id = self._cancel(order, cancel_id, sent_ms, external=external)
        self._finish_batch(self.markets[order.symbol])
        return used_id

    def cancel_all(self, account: str, symbol: str, *, sent_ms: int | None) -> list[tuple[Order, str]]:
        orders = self.ledger.open_orders_of(account, symbol)
        canceled = [(order, self._cancel(order, None, sent_ms)) for order in orders]
        self._finish_batch(self.market(symbol))
        return canceled

    def execute(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Trade the order with nobody, its limits and its quantity notwithstanding."""
        market = self.markets[order.symbol]
        was_open = order.is_open
        self._trade(market, order, self._next_trade_id(market), price, qty, is_maker=False)
        if was_open and not order.is_open:
            market.resting[order.side].remove(order)
        self._finish_batch(market)

    def set_counters(self, symbol: str, *, next_order_id: int, next_trade_id: int) -> None:
        """Give these ids out next, again if need be. Raises ValueError while an open order has one of them."""
        market = self.market(symbol)
        open_ids = [order.order_id for order in self.ledger.open_orders.values() if order.order_id >= next_order_id]
        if open_ids:
            raise ValueError(f"expected no open order with an id of {next_order_id} or higher, was {open_ids}")
        self._reserved_to[market.instrument.symbol] = 0
        self.record(
            CountersSet(symbol=market.instrument.symbol, next_order_id=next_order_id, next_trade_id=next_trade_id)
        )

    def replay_tick(
        self, market: Market, levels: dict[str, list[Level]], *, price: Decimal, qty: Decimal, sold: bool
    ) -> None:
        """Let the market move: new liquidity, resting orders it trades through, one print on the tape."""
        market.levels = levels
        for order, level in market.crossed_by_levels():
            self._trade_resting(market, order, level)
        if qty:
            self._print(market, self._next_trade_id(market), price, qty, buyer_is_maker=sold)
        self._finish_batch(market)

    def _checked_qty(self, account: str, market: Market, request: OrderRequest) -> Decimal:
        instrument = market.instrument
        qty = request.qty
        if request.quote_order_qty:
            qty = qty_for_quote(market, account=account, side=request.side, quote_qty=request.quote_order_qty)
            if not qty:
                raise filter_failed("NOTIONAL")
        if request.price:
            instrument.check_price(request.price)
        instrument.check_qty(qty)
        instrument.check_notional(request.quote_order_qty or qty * (request.price or market.last_price))
        return qty

    def _lock(
        self, market: Market, request: OrderRequest, qty: Decimal, matches: Sequence[Match]
    ) -> tuple[str, Decimal]:
        if request.side == "SELL":
            return market.instrument.base, qty
        if request.price:
            return market.instrument.quote, request.price * qty
        return market.instrument.quote, cost_of(matches)

    def _accept(
        self,
        account: str,
        market: Market,
        request: OrderRequest,
        qty: Decimal,
        asset: str,
        locked: Decimal,
        *,
        external: bool,
    ) -> Order:
        order_id = self.ledger.next_order_id
        self._emit(
            OrderAccepted(
                account=account,
                client_order_id=request.client_order_id or f"venue-{order_id}",
                order_id=order_id,
                symbol=market.instrument.symbol,
                side=request.side,
                type=request.type,
                time_in_force=request.time_in_force,
                qty=qty,
                price=request.price,
                quote_order_qty=request.quote_order_qty,
                locked_asset=asset,
                locked_qty=locked,
                sent_ms=request.sent_ms,
                recv_window_ms=request.recv_window_ms,
                external=external,
            )
        )
        return self.ledger.orders[order_id]

    def _execute(self, market: Market, taker: Order, match: Match) -> None:
        maker = match.maker
        if match.self_trade and maker is not None:
            self._expire(maker, "SELF_TRADE")
            market.resting[maker.side].remove(maker)
            return
        trade_id = self._next_trade_id(market)
        self._trade(market, taker, trade_id, match.price, match.qty, is_maker=False)
        if maker is not None:
            self._trade(market, maker, trade_id, match.price, match.qty, is_maker=True)
            if not maker.is_open:
                market.resting[maker.side].remove(maker)
        if match.level is not None:
            match.level.qty -= match.qty
        self._print(market, trade_id, match.price, match.qty, buyer_is_maker=taker.side == "SELL")

    def _trade_resting(self, market: Market, order: Order, level: Level) -> None:
        qty = min(order.leaves_qty, level.qty)
        trade_id = self._next_trade_id(market)
        self._trade(market, order, trade_id, order.price, qty, is_maker=True)
        level.qty -= qty
        if not order.is_open:
            market.resting[order.side].remove(order)
        self._print(market, trade_id, order.price, qty, buyer_is_maker=order.side == "BUY")

    def _settle_rest(self, market: Market, order: Order) -> None:
        """Let what did not trade at once rest on the book or expire."""
        if not order.is_open:
            return
        if order.type == "MARKET":
            self._expire(order, "NO_LIQUIDITY")
        elif order.time_in_force != "GTC":
            self._expire(order, order.time_in_force)
        else:
            market.resting[order.side].add(order)

    def _trade(
        self, market: Market, order: Order, trade_id: int, price: Decimal, qty: Decimal, *, is_maker: bool
    ) -> None:
        instrument = market.instrument
        received, asset = (qty, instrument.base) if order.side == "BUY" else (price * qty, instrument.quote)
        ratio = self._fees.maker_ratio if is_maker else self._fees.taker_ratio
        cum_qty = order.cum_qty + qty
        self._emit(
            OrderTraded(
                account=order.account,
                client_order_id=order.client_order_id,
                order_id=order.order_id,
                symbol=order.symbol,
                trade_id=trade_id,
                side=order.side,
                price=price,
                qty=qty,
                quote_qty=price * qty,
                commission=(received * ratio).quantize(_EIGHT_DECIMALS, ROUND_DOWN),
                commission_asset=asset,
                is_maker=is_maker,
                cum_qty=cum_qty,
                cum_quote_qty=order.cum_quote_qty + price * qty,
                order_status="FILLED" if cum_qty >= order.qty else "PARTIALLY_FILLED",
            )
        )

    def _cancel(self, order: Order, cancel_id: str | None, sent_ms: int | None, *, external: bool = False) -> str:
        if not order.is_open:
            raise refusal(-2011)
        cancel_id = cancel_id or f"venue-cancel-{order.order_id}"
        self.markets[order.symbol].resting[order.side].remove(order)
        self._emit(
            OrderCanceled(
                account=order.account,
                client_order_id=order.client_order_id,
                order_id=order.order_id,
                symbol=order.symbol,
                cancel_id=cancel_id,
                cum_qty=order.cum_qty,
                sent_ms=sent_ms,
                external=external,
            )
        )
        return cancel_id

    def _expire(self, order: Order, reason: str) -> None:
        self._emit(
            OrderExpired(
                account=order.account,
                client_order_id=order.client_order_id,
                order_id=order.order_id,
                symbol=order.symbol,
                cum_qty=order.cum_qty,
                reason=reason,
            )
        )

    def _next_trade_id(self, market: Market) -> int:
        """Give out an id that no restart gives out again, though market trades have no lines in the log."""
        symbol = market.instrument.symbol
        trade_id = self.ledger.next_trade_id[symbol]
        if trade_id >= self._reserved_to.get(symbol, 0):
            self._reserved_to[symbol] = trade_id + _TRADE_ID_BLOCK
            reserved = TradeIdsReserved(symbol=symbol, up_to=trade_id + _TRADE_ID_BLOCK)
            self._stamp(reserved)  # not applied: the live counter goes on from trade_id
        self.ledger.next_trade_id[symbol] = trade_id + 1
        return trade_id

    def _print(self, market: Market, trade_id: int, price: Decimal, qty: Decimal, *, buyer_is_maker: bool) -> None:
        trade = Print(trade_id, self._now_ms(), price, qty, buyer_is_maker)
        market.tape.append(trade)
        market.candles.add(trade_id, trade.at_ms, price, qty, buyer_is_maker=buyer_is_maker)
        market.last_price = price
        self._prints.append((market, trade))

    def _emit(self, fact: Fact) -> None:
        self._stamp(fact)
        self.ledger.apply(fact)
        order_id = getattr(fact, "order_id", None)
        self.listener.on_fact(fact, self.ledger.orders[order_id] if order_id is not None else None)

    def _stamp(self, fact: Fact) -> None:
        """Number the fact. Its time never steps back, even when the wall clock does."""
        self.ledger.last_seq += 1
        self.ledger.last_at_ms = max(self.ledger.last_at_ms, self._now_ms())
        fact.seq = self.ledger.last_seq
        fact.at_ms = self.ledger.last_at_ms
        self._batch.append(fact)

    def _finish_batch(self, market: Market | None = None) -> None:
        """Log first, tell then."""
        batch, self._batch = self._batch, []
        prints, self._prints = self._prints, []
        if batch:
            self._log.append(batch)
            self.listener.on_batch_logged()
        for print_market, trade in prints:
            self.listener.on_print(print_market, trade)
        if market is not None:
            self.listener.on_quote(market)
