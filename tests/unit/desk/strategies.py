"""Small strategies whose decisions a test can foresee."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from trading_orchestrator.brokers.port import OrdType, Side, TradeReport
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.bounds import PositiveDecimal
from trading_orchestrator.market.port import Bar, Quote
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

SYMBOL = "EUR/USDT"


class BuyerParams(StrategyParams, frozen=True):
    """`orders`: how many to send in all, one a quote; `px` None buys at the market."""

    orders: int = 1
    px: Decimal | None = None
    qty: Decimal = Decimal(10)
    cancel_at_bid: Decimal | None = None


class BuyerState(StrategyState):
    sent: int = 0
    filled_qty: Decimal = Decimal(0)
    heard: list[str] = msgspec.field(default_factory=list)


class Buyer(Strategy[BuyerParams, BuyerState]):
    """Buys once a quote; cancels everything when the bid stands at `cancel_at_bid`."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        if quote.bid_px == self.params.cancel_at_bid:
            for order in self.orders():
                self.cancel(order.cl_ord_id, "told to")
        elif self.state.sent < self.params.orders:
            self.submit(SYMBOL, Side.BUY, self.params.qty, self.params.px)
            self.state.sent += 1

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        self.state.filled_qty += trade.last_qty

    def on_order(self, order: Order) -> None:
        self.state.heard.append(order.status.value)


class Bare(Strategy):  # type: ignore[type-arg]  # as one writes it who needs neither parameters nor a state
    """Buys at the first quote."""

    def on_quote(self, quote: Quote) -> None:
        if not self.position_qty(quote.symbol) and not self.orders():
            self.submit(quote.symbol, Side.BUY, Decimal(10))


class EndlessParams(StrategyParams, frozen=True):
    take_profit: float = 1.0
    stop_px: Decimal = Decimal(0)
    longest_s: Annotated[float, msgspec.Meta(description="of a position")] | None = None
    apart_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    qty: PositiveDecimal = Decimal(1)


class Endless(Strategy[EndlessParams, StrategyState]):
    """Does nothing, whatever its parameters say."""


class BuyerOfParams(BuyerParams, frozen=True):
    symbol: str = SYMBOL


class BuyerOf(Strategy[BuyerOfParams, BuyerState]):
    """Buys `symbol` with any quote that it sees, of this symbol or the usual one."""

    def wants(self) -> Wants:
        return Wants(symbols=list({self.params.symbol, SYMBOL}))

    def on_quote(self, quote: Quote) -> None:
        if self.state.sent < self.params.orders:
            self.submit(self.params.symbol, Side.BUY, self.params.qty, self.params.px)
            self.state.sent += 1


class FollowerParams(StrategyParams, frozen=True):
    bar_s: int = 1


class FollowerState(StrategyState):
    bars: int = 0
    fills: int = 0
    net_qty: Decimal = Decimal(0)


class BarFollower(Strategy[FollowerParams, FollowerState]):
    """Decides on closed bars and fills alone: with the bar at the market, and against its own fills at a limit."""

    mean_px: Decimal

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL], bar_s=self.params.bar_s, warm_up_bars=3)

    def warm_up(self, bars: list[Bar]) -> None:  # type: ignore[override]
        self.seen = [bar.close_px for bar in bars][-3:]

    def on_bar(self, bar: Bar) -> None:
        self.state.bars += 1
        mean_px = sum(self.seen, Decimal(0)) / len(self.seen) if self.seen else bar.close_px
        self.seen = [*self.seen, bar.close_px][-3:]
        side = Side.BUY if bar.close_px > mean_px else Side.SELL
        self.submit(SYMBOL, side, Decimal(self.state.bars % 5 + 1))

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        self.state.fills += 1
        self.state.net_qty += trade.side.sign * trade.last_qty
        if self.state.fills % 3 == 0:
            away = Side.SELL if self.state.net_qty > 0 else Side.BUY
            px = trade.last_px - away.sign * Decimal("0.0300")
            self.submit(SYMBOL, away, Decimal(self.state.fills % 4 + 1), px, ord_type=OrdType.LIMIT_MAKER)


class Failing(Buyer):
    """Sends one order, then raises."""

    def on_quote(self, quote: Quote) -> None:
        if self.state.sent:
            raise ZeroDivisionError("a bug of its own")
        super().on_quote(quote)


class Exiting(Buyer):
    """Sends one order, then leaves as a script would."""

    def on_quote(self, quote: Quote) -> None:
        if self.state.sent:
            raise SystemExit("a bug of its own")
        super().on_quote(quote)


class MiscountingParams(StrategyParams, frozen=True):
    """`bad`: what it takes for a number, as a quantity or a price."""

    of: str
    bad: str


class Miscounting(Strategy[MiscountingParams, BuyerState]):
    """Sends an order on bad terms, then a good one, then wants the good one on bad terms."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        bad = Decimal(self.params.bad)
        self.state.sent += 1
        good_qty, good_px = Decimal(10), Decimal("1.0900")
        qty, px = (bad, good_px) if self.params.of == "qty" else (good_qty, bad)
        if self.state.sent == 1:
            self.submit(SYMBOL, Side.BUY, qty, px)
        elif not self.orders():
            self.submit(SYMBOL, Side.BUY, good_qty, good_px)
        else:
            self.replace(self.orders()[0].cl_ord_id, qty=qty, px=px)


class Hasty(Buyer):
    """Submits and cancels in one breath."""

    def on_quote(self, quote: Quote) -> None:
        if not self.state.sent:
            self.state.sent = 1
            self.cancel(self.submit(SYMBOL, Side.BUY, self.params.qty, self.params.px), "changed its mind")


class Opener(Buyer):
    """Decides at every start, before it is told what it missed."""

    def on_start(self) -> None:
        if self.state.sent:
            self.submit(SYMBOL, Side.BUY, self.params.qty, Decimal("1.0500"))


class TurnerParams(StrategyParams, frozen=True):
    """`turns`: one letter an order, one order a quote: b buys, s sells at the market, B rests far below it."""

    turns: str = "b"
    qty: Decimal = Decimal(10)


class TurnerState(StrategyState):
    sent: int = 0
    refused: list[str] = msgspec.field(default_factory=list)
    filled_qty: Decimal = Decimal(0)


class Turner(Strategy[TurnerParams, TurnerState]):
    """Does with each quote what the next letter says, whatever became of the last."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        if self.state.sent < len(self.params.turns):
            turn = self.params.turns[self.state.sent]
            self.state.sent += 1
            side = Side.SELL if turn == "s" else Side.BUY
            self.submit(SYMBOL, side, self.params.qty, Decimal("1.0900") if turn == "B" else None)

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        self.state.filled_qty += trade.side.sign * trade.last_qty


class Unrestorable(Turner):
    """Fails before it is at work."""

    def warm_up(self, bars: list[Bar]) -> None:  # type: ignore[override]
        raise ZeroDivisionError("a bug of its own")


class MoverParams(StrategyParams, frozen=True):
    """`px`, `qty`: of the first order. `to_qty`, `to_px`: the terms it is to have once the bid stands at `at_bid`."""

    at_bid: Decimal
    px: Decimal = Decimal("1.0900")
    qty: Decimal = Decimal(10)
    to_qty: Decimal | None = None
    to_px: Decimal | None = None


class MoverState(StrategyState):
    refused: list[str] = msgspec.field(default_factory=list)
    replaced: list[str] = msgspec.field(default_factory=list)
    sent: bool = False


class Mover(Strategy[MoverParams, MoverState]):
    """Rests one order, and wants it on other terms when the bid stands at `at_bid`."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        if not self.state.sent:
            self.state.sent = True
            self.submit(SYMBOL, Side.BUY, self.params.qty, self.params.px)
        elif quote.bid_px == self.params.at_bid:
            for order in self.orders():
                try:
                    self.replace(order.cl_ord_id, qty=self.params.to_qty, px=self.params.to_px, reason="moved")
                except Refused as refusal:
                    self.state.refused.append(refusal.message)

    def on_order(self, order: Order) -> None:
        if order.replaces and order.cl_ord_id not in self.state.replaced:
            self.state.replaced.append(order.cl_ord_id)


class ChaserState(StrategyState):
    sent: bool = False
    bought_qty: Decimal = Decimal(0)


class Chaser(Strategy[BuyerParams, ChaserState]):
    """Wants `qty` in one order, and moves it just below each new bid."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        px = quote.bid_px - Decimal("0.0001")
        if not self.state.sent:
            self.state.sent = True
            self.submit(SYMBOL, Side.BUY, self.params.qty, px)
        for order in self.orders():
            if order.px != px:
                self.replace(order.cl_ord_id, px=px, reason="chased")

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        self.state.bought_qty += trade.last_qty


class MoodyParams(StrategyParams, frozen=True):
    """`px` None buys at the market; `fails_at`, `turns_at`, `ends_at`: the bids at which it raises, turns the loop
    itself before it buys, or after.
    """

    orders: int = 2
    px: Decimal | None = None
    timer_s: float | None = None
    fails_at: Decimal = Decimal(0)
    turns_at: Decimal = Decimal(0)
    ends_at: Decimal = Decimal(0)


class Moody(Strategy[MoodyParams, BuyerState]):
    """Buys once a quote, and has its moments."""

    turn_on: ClassVar[list[bool]] = []

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL], timer_s=self.params.timer_s)

    def on_quote(self, quote: Quote) -> None:
        if quote.bid_px == self.params.fails_at:
            raise ZeroDivisionError("in a bad mood")
        if quote.bid_px == self.params.turns_at:
            turn_the_loop(while_=self.turn_on)
        if self.state.sent < self.params.orders:
            self.state.sent += 1
            self.submit(SYMBOL, Side.BUY, Decimal(10), self.params.px)
        if quote.bid_px == self.params.ends_at:
            turn_the_loop(while_=self.turn_on)

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        self.state.filled_qty += trade.last_qty


def turn_the_loop(*, while_: list[bool]) -> None:
    """Wait as some libraries do that want to be called from anywhere: from inside of the running loop."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    assert task is not None
    asyncio.tasks._leave_task(loop, task)
    asyncio.events._set_running_loop(None)
    try:
        while while_:
            asyncio.events._set_running_loop(loop)
            loop._run_once()  # type: ignore[attr-defined]
    finally:
        asyncio.events._set_running_loop(loop)
        asyncio.tasks._enter_task(loop, task)


class Ticking(Strategy[StrategyParams, BuyerState]):
    """Decides by its timer alone."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL], timer_s=1.0)

    def on_timer(self) -> None:
        self.state.sent += 1


class HoarderParams(StrategyParams, frozen=True):
    """`keeps_bytes` of each quote, for ever; an order at every `each`-th quote."""

    keeps_bytes: int
    each: int
    qty: Decimal = Decimal(10)


class HoarderState(StrategyState):
    quotes: int = 0


class Hoarder(Strategy[HoarderParams, HoarderState]):
    """Buys and sells in turn, and forgets to forget what it saw."""

    def on_start(self) -> None:
        self.kept: list[bytes] = []

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: Quote) -> None:
        self.kept.append(b"x" * self.params.keeps_bytes)
        self.state.quotes += 1
        if self.state.quotes % self.params.each == 0:
            side = Side.BUY if self.state.quotes // self.params.each % 2 else Side.SELL
            self.submit(SYMBOL, side, self.params.qty)
