"""A venue in this process that forgets what is over, so that memory which grows is the desk's own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from msgspec.structs import replace

from trading_orchestrator.brokers.port import (
    Balance,
    CancelRefused,
    Connected,
    NewOrder,
    OrderNotFound,
    OrderReport,
    OrdType,
    Side,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.market.inbox import Inbox
from trading_orchestrator.market.port import Instrument, Quote, Trade

SYMBOL = "EUR/USDT"
PX = Decimal("1.10")
TICK = Decimal("0.0001")
ZERO = Decimal(0)
OPENING = {"EUR": Decimal(10**9), "USDT": Decimal(10**9)}


class ForgetfulVenue:
    """`Broker` and `Feed` in one: a market order fills at once and whole, a limit order rests; nothing costs a fee.

    Args:
        trades_kept: the newest so many can be asked for. An order is forgotten with its end.
    """

    validity_s = 1.0
    timeout_s = 1.0

    def __init__(self, *, trades_kept: int | None = 20_000) -> None:
        self.accepted = 0
        self.open: dict[str, OrderReport] = {}
        self._held = dict(OPENING)
        self._trades: deque[TradeReport] = deque(maxlen=trades_kept)
        self._trade_count = 0
        self._reports: Inbox[OrderReport | TradeReport | Connected] = Inbox()
        self._market: Inbox[Quote | Trade] = Inbox()

    # -- what happens there

    def show_quote(self) -> None:
        """Show the one quote that there is, as if it were new."""
        qty = Decimal(10**6)
        now_ns = time.monotonic_ns()
        self._market.put(Quote(SYMBOL, PX - TICK, qty, PX + TICK, qty, time.time_ns(), now_ns))

    def fill(self, cl_ord_id: str, qty: Decimal) -> None:
        """Trade a part of an open order without telling the stream."""
        report = self.open[cl_ord_id]
        self._trade(report, qty)
        self.open[cl_ord_id] = replace(
            report, cum_qty=report.cum_qty + qty, status=VenueStatus.PARTIALLY_FILLED, at_ns=time.time_ns()
        )

    def _trade(self, report: OrderReport, qty: Decimal) -> TradeReport:
        self._trade_count += 1
        trade = TradeReport(
            symbol=SYMBOL,
            trade_id=str(self._trade_count),
            venue_order_id=report.venue_order_id,
            cl_ord_id=report.cl_ord_id,
            side=report.side,
            last_qty=qty,
            last_px=PX,
            fee=ZERO,
            fee_asset="",
            at_ns=time.time_ns(),
        )
        self._trades.append(trade)
        self._held["EUR"] += qty * report.side.sign
        self._held["USDT"] -= qty * PX * report.side.sign
        return trade

    # -- the broker

    async def connect(self) -> None:
        return

    async def submit(self, order: NewOrder) -> OrderReport:
        self.accepted += 1
        report = OrderReport(
            symbol=SYMBOL,
            cl_ord_id=order.cl_ord_id,
            venue_order_id=str(self.accepted),
            status=VenueStatus.NEW,
            side=order.side,
            ord_type=order.ord_type,
            order_qty=order.order_qty,
            px=order.px,
            cum_qty=ZERO,
            at_ns=time.time_ns(),
            source="answer",
        )
        if order.ord_type is not OrdType.MARKET:
            self.open[order.cl_ord_id] = report
            return report
        trades = (self._trade(report, order.order_qty),)
        return replace(report, status=VenueStatus.FILLED, cum_qty=order.order_qty, trades=trades)

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        report = self.open.pop(cl_ord_id, None)
        if report is None:
            raise CancelRefused("-2011", venue_code="-2011", text="Unknown order sent.")
        return replace(report, status=VenueStatus.CANCELED, at_ns=time.time_ns())

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        if cl_ord_id not in self.open:
            raise OrderNotFound("-2013", venue_code="-2013", text="Order does not exist.")
        return replace(self.open[cl_ord_id], source="query")

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return [replace(report, source="open_orders") for report in self.open.values()]

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        after = int(after_id or 0)
        first = self._trade_count - len(self._trades) + 1
        return [trade for at, trade in enumerate(self._trades, first) if at > after and trade.at_ns >= (since_ns or 0)]

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return [trade for trade in self._trades if trade.venue_order_id == venue_order_id]

    async def balances(self) -> Sequence[Balance]:
        return [Balance(asset, total, ZERO) for asset, total in self._held.items()]

    async def clock_offset_s(self) -> float:
        return 0.0

    async def reports(self) -> AsyncIterator[OrderReport | TradeReport | Connected]:
        self._reports.put(Connected(time.time_ns()))
        async for report in self._reports:
            yield report

    # -- the feed

    async def instruments(self) -> Sequence[Instrument]:
        return [Instrument(SYMBOL, "EUR", "USDT", TICK, Decimal(1))]

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        async for event in self._market:
            yield event

    async def close(self) -> None:
        self._reports.end()
        self._market.end()


def side_of(number: int) -> Side:
    """Return buy and sell in turn, so that the position stays small."""
    return Side.BUY if number % 2 == 0 else Side.SELL
