"""The simulated venue: one account, orders filled against the quotes it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import structs

from trading_orchestrator.brokers.port import (
    Balance,
    CancelRefused,
    DuplicateOrder,
    NewOrder,
    OrderNotFound,
    OrderRefused,
    OrderReport,
    OrdType,
    Side,
    SymbolGone,
    TimeInForce,
    TradeAmendment,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.market.port import Instrument, Quote, Trade

_OPEN = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


@dataclass
class _Order:
    new: NewOrder
    venue_order_id: str
    status: VenueStatus = VenueStatus.NEW
    trades: list[TradeReport] = field(default_factory=list)
    cum_qty: Decimal = ZERO

    @property
    def leaves_qty(self) -> Decimal:
        return self.new.order_qty - self.cum_qty if self.status in _OPEN else ZERO


class SimulatedVenue:
    """The truth that tests compare with: orders, trades and balances as the venue has them.

    A taking order fills at the quote up to its quantity; a resting one at its own price when a quote crosses it.
    Every new quote brings its full quantity again. The fee is `fee_ratio` of the value, in the quote asset.
    Use within one event loop; nothing here waits.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        clock: Clock,
        balances: Mapping[str, Decimal],
        fee_ratio: Decimal = Decimal("0.001"),
    ) -> None:
        self.instruments = {each.symbol: each for each in instruments}
        self._clock = clock
        self._totals = dict(balances)
        self._fee_ratio = fee_ratio
        self._orders: dict[str, _Order] = {}
        self._open: dict[str, _Order] = {}
        self._by_venue_id: dict[str, _Order] = {}
        self._trades: list[TradeReport] = []
        self._public_trades = 0
        self._quotes: dict[str, Quote] = {}
        self._countdown = 0
        self._taken_back: set[str] = set()
        self._delisted: set[str] = set()
        self.on_report: list[Callable[[OrderReport], None]] = []
        self.on_amendment: list[Callable[[TradeAmendment], None]] = []
        self.on_market: list[Callable[[Quote | Trade], None]] = []

    def show_quote(self, symbol: str, bid_px: Decimal, ask_px: Decimal, qty: Decimal = Decimal(1000)) -> None:
        """Move the market, `qty` on either side, then fill the resting orders that it crosses, oldest first."""
        quote = Quote(symbol, bid_px, qty, ask_px, qty, self._clock.wall_ns(), self._clock.monotonic_ns())
        self._quotes[symbol] = quote
        self._tell_market(quote)
        for order in list(self._open.values()):
            if order.new.symbol == symbol and order.leaves_qty:
                self._match(order, resting=True)

    def show_trade(self, symbol: str, px: Decimal, qty: Decimal) -> None:
        """Let the public see a trade between others."""
        self._public_trades += 1
        now = self._clock
        self._tell_market(Trade(symbol, f"p{self._public_trades}", px, qty, now.wall_ns(), now.monotonic_ns()))

    def delist(self, symbol: str) -> None:
        """Know the symbol no more, whoever asks; its orders are never heard of again."""
        self._delisted.add(symbol)

    def listed(self) -> list[Instrument]:
        """Return what may be traded now."""
        return [each for each in self.instruments.values() if each.symbol not in self._delisted]

    def transfer(self, asset: str, amount: Decimal) -> None:
        """Move money into the account, or with an amount below 0 out of it."""
        self._move(asset, amount)

    def bust(self, trade_id: str, text: str = "") -> None:
        """Take a trade back. What it filled does not rest again: a filled order is expired then."""
        self._amend(trade_id, ZERO, None, text)
        self._taken_back.add(trade_id)

    def correct(self, trade_id: str, qty: Decimal, px: Decimal, text: str = "") -> None:
        """Change a trade; its fee stays."""
        self._amend(trade_id, qty, px, text)

    def accept(self, new: NewOrder) -> OrderReport:
        """Take the order or refuse it, match it, and return the answer with its trades."""
        self._refuse_bad(new)
        order = _Order(new, venue_order_id=str(len(self._orders) + 1))
        self._orders[new.cl_ord_id] = self._open[new.cl_ord_id] = self._by_venue_id[order.venue_order_id] = order
        self._tell(order)
        self._match(order, resting=False)
        if order.leaves_qty and (new.ord_type is OrdType.MARKET or new.time_in_force is not TimeInForce.GTC):
            self._end(order, VenueStatus.EXPIRED)
        return self._report(order, "answer", tuple(order.trades))

    def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        self._check_listed(symbol)
        order = self._orders.get(cl_ord_id)
        if order is None or order.new.symbol != symbol or not order.leaves_qty:
            raise CancelRefused("-2011 Unknown order sent.", venue_code="-2011", text="Unknown order sent.")
        self._end(order, VenueStatus.CANCELED)
        return self._report(order, "answer")

    def count_down(self) -> int:
        """Forget the countdown under way, and return the number of the next one."""
        self._countdown += 1
        return self._countdown

    def end_countdown(self, number: int) -> None:
        """Cancel every order of the account, if this countdown was not started anew since."""
        for order in list(self._open.values()) if number == self._countdown else ():
            self._end(order, VenueStatus.CANCELED)

    def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        self._check_listed(symbol)
        order = self._orders.get(cl_ord_id)
        if order is None or order.new.symbol != symbol:
            raise OrderNotFound("-2013 Order does not exist.", venue_code="-2013", text="Order does not exist.")
        return self._report(order, "query")

    def known(self, cl_ord_id: str) -> OrderReport | None:
        """Return the order as it is, or None when nothing of this name ever came."""
        order = self._orders.get(cl_ord_id)
        return self._report(order, "query") if order is not None else None

    def open_orders(self, symbols: Sequence[str]) -> list[OrderReport]:
        for symbol in symbols:
            self._check_listed(symbol)
        found = [order for order in self._open.values() if order.new.symbol in symbols]
        return [self._report(order, "open_orders") for order in found]

    def orders(self) -> list[OrderReport]:
        """Return every order ever accepted, oldest first."""
        return [self._report(order, "query") for order in self._orders.values()]

    def trades(self, symbol: str, after_id: str | None = None, since_ns: int | None = None) -> list[TradeReport]:
        self._check_listed(symbol)
        after, since = int(after_id or 0), since_ns or 0
        return [
            trade
            for trade in self._trades[after:]  # ids are dense, so the place tells the id
            if trade.symbol == symbol and trade.at_ns >= since and trade.trade_id not in self._taken_back
        ]

    def trades_of(self, symbol: str, venue_order_id: str) -> list[TradeReport]:
        self._check_listed(symbol)
        order = self._by_venue_id.get(venue_order_id)
        return [trade for trade in order.trades if trade.symbol == symbol] if order is not None else []

    def trade(self, trade_id: str) -> TradeReport | None:
        """Return the trade with this id, if there was one."""
        place = int(trade_id) - 1 if trade_id.isdigit() else -1
        return self._trades[place] if 0 <= place < len(self._trades) else None

    def balances(self) -> list[Balance]:
        locked = dict.fromkeys(self._totals, ZERO)
        for order in self._open.values():
            asset, amount = self._needs(order.new, order.leaves_qty)
            locked[asset] = locked.get(asset, ZERO) + amount
        return [Balance(asset, total - locked[asset], locked[asset]) for asset, total in self._totals.items() if total]

    def _check_listed(self, symbol: str) -> None:
        if symbol in self._delisted:
            raise SymbolGone("-1121 Invalid symbol.", venue_code="-1121", text="Invalid symbol.")

    def _refuse_bad(self, new: NewOrder) -> None:
        if new.symbol not in self.instruments or new.symbol in self._delisted:
            raise _refused("-1121", "Invalid symbol.")
        if new.cl_ord_id in self._orders:
            if self._orders[new.cl_ord_id].leaves_qty:
                raise DuplicateOrder("-2010 Duplicate order sent.", venue_code="-2010", text="Duplicate order sent.")
            # As Binance does: an id is only unique among open orders. Sending it again is the caller's bug.
            raise AssertionError(f"{new.cl_ord_id} was sent a second time after its order had ended")
        if new.order_qty <= 0 or new.order_qty % self.instruments[new.symbol].step_qty:
            raise _refused("-1013", "Filter failure: LOT_SIZE")
        if new.ord_type is OrdType.LIMIT_MAKER and self._crossed_px(new) is not None:
            raise _refused("-2010", "Order would immediately match and take.")
        asset, amount = self._needs(new, new.order_qty)
        if amount > {each.asset: each.free for each in self.balances()}.get(asset, ZERO):
            raise _refused("-2010", "Account has insufficient balance for requested action.")

    def _needs(self, new: NewOrder, qty: Decimal) -> tuple[str, Decimal]:
        instrument = self.instruments[new.symbol]
        if new.side is Side.SELL:
            return instrument.base, qty
        quote = self._quotes.get(new.symbol)
        px = new.px if new.px is not None else quote.ask_px if quote else ZERO
        return instrument.quote, qty * px

    def _crossed_px(self, new: NewOrder) -> Decimal | None:
        """Return the quote's price that the order crosses, or None."""
        quote = self._quotes.get(new.symbol)
        if quote is None:
            return None
        px = quote.ask_px if new.side is Side.BUY else quote.bid_px
        return px if new.px is None or (new.px - px) * new.side.sign >= 0 else None

    def _match(self, order: _Order, *, resting: bool) -> None:
        new, px = order.new, self._crossed_px(order.new)
        if px is None:
            return
        quote = self._quotes[new.symbol]
        there_qty = quote.ask_qty if new.side is Side.BUY else quote.bid_qty
        qty = min(order.leaves_qty, there_qty)
        if not qty or (new.time_in_force is TimeInForce.FOK and qty < new.order_qty):
            return
        taken = "ask_qty" if new.side is Side.BUY else "bid_qty"
        self._quotes[new.symbol] = structs.replace(quote, **{taken: there_qty - qty})
        self._fill(order, qty, new.px if resting and new.px is not None else px)

    def _fill(self, order: _Order, qty: Decimal, px: Decimal) -> None:
        new, instrument = order.new, self.instruments[order.new.symbol]
        trade = TradeReport(
            symbol=new.symbol,
            trade_id=str(len(self._trades) + 1),
            venue_order_id=order.venue_order_id,
            cl_ord_id=new.cl_ord_id,
            side=new.side,
            last_qty=qty,
            last_px=px,
            fee=qty * px * self._fee_ratio,
            fee_asset=instrument.quote,
            at_ns=self._clock.wall_ns(),
        )
        self._trades.append(trade)
        order.trades.append(trade)
        order.cum_qty += qty
        order.status = VenueStatus.FILLED if order.cum_qty == new.order_qty else VenueStatus.PARTIALLY_FILLED
        if order.status is VenueStatus.FILLED:
            del self._open[new.cl_ord_id]
        self._move(instrument.base, qty * new.side.sign)
        self._move(instrument.quote, -qty * px * new.side.sign - trade.fee)
        self._tell(order, trade)

    def _amend(self, trade_id: str, qty: Decimal, px: Decimal | None, text: str) -> None:
        before = self._trades[int(trade_id) - 1]
        after = structs.replace(before, last_qty=qty, last_px=before.last_px if px is None else px)
        order, instrument = self._by_venue_id[before.venue_order_id], self.instruments[before.symbol]
        self._trades[int(trade_id) - 1] = after
        order.trades = [after if each.trade_id == trade_id else each for each in order.trades]
        order.trades = [each for each in order.trades if each.last_qty]
        order.cum_qty += after.last_qty - before.last_qty
        if order.status is VenueStatus.FILLED and order.cum_qty < order.new.order_qty:
            order.status = VenueStatus.EXPIRED
        moved_quote = after.last_qty * after.last_px - before.last_qty * before.last_px
        self._move(instrument.base, (after.last_qty - before.last_qty) * before.side.sign)
        self._move(instrument.quote, -moved_quote * before.side.sign + (before.fee if not qty else ZERO))
        said = TradeAmendment(before.symbol, trade_id, qty, px, self._clock.wall_ns(), text)
        for listener in list(self.on_amendment):
            listener(said)

    def _move(self, asset: str, amount: Decimal) -> None:
        self._totals[asset] = self._totals.get(asset, ZERO) + amount

    def _end(self, order: _Order, status: VenueStatus) -> None:
        order.status = status
        del self._open[order.new.cl_ord_id]
        self._tell(order)

    def _tell(self, order: _Order, *trades: TradeReport) -> None:
        report = self._report(order, "stream", trades)
        for listener in list(self.on_report):
            listener(report)

    def _tell_market(self, item: Quote | Trade) -> None:
        for listener in list(self.on_market):
            listener(item)

    def _report(self, order: _Order, source: str, trades: tuple[TradeReport, ...] = ()) -> OrderReport:
        new = order.new
        return OrderReport(
            symbol=new.symbol,
            cl_ord_id=new.cl_ord_id,
            venue_order_id=order.venue_order_id,
            status=order.status,
            side=new.side,
            ord_type=new.ord_type,
            order_qty=new.order_qty,
            px=new.px,
            cum_qty=order.cum_qty,
            at_ns=self._clock.wall_ns(),
            source=source,
            trades=trades,
            cum_quote=sum((trade.last_qty * trade.last_px for trade in order.trades), ZERO),
        )


def _refused(venue_code: str, text: str) -> OrderRefused:
    return OrderRefused(f"{venue_code} {text}", venue_code=venue_code, text=text)
