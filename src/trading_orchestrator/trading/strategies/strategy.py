"""The strategy API: subclass `Strategy`, name it in the config, and the desk does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Generic, Protocol, TypeVar, get_args, get_origin

import msgspec

from trading_orchestrator.brokers.port import NewOrder, OrdType, Side, TimeInForce, TradeReport
from trading_orchestrator.errors import Broken
from trading_orchestrator.market.port import Bar, Instrument, Quote
from trading_orchestrator.trading.orders.order import Order


class StrategyParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The typed parameters of a strategy; subclass it. Each field is a key under `params` in the config."""


class StrategyState(msgspec.Struct):
    """What a strategy remembers; subclass it. Given back after a takeover.

    Saved in the same commit as every decision, and soon after fills, bars and changes of orders.
    """


P = TypeVar("P", bound=StrategyParams)
S = TypeVar("S", bound=StrategyState)


class Wants(msgspec.Struct, frozen=True):
    """What a strategy asks the desk for.

    `bar_s`: length of the bars of `on_bar` (None: no bars). `warm_up_bars`: how many closed bars `warm_up` gets at
    most. `timer_s`: interval of `on_timer` (None: no timer).
    """

    symbols: Sequence[str]
    bar_s: int | None = None
    warm_up_bars: int = 0
    timer_s: float | None = None


class Floor(Protocol):
    """What a strategy can see and do; the desk implements it, a test may."""

    def submit(self, strategy: str, order: NewOrder) -> str: ...
    def cancel(self, strategy: str, cl_ord_id: str, reason: str) -> None: ...
    def replace(self, strategy: str, cl_ord_id: str, qty: Decimal | None, px: Decimal | None, reason: str) -> None: ...
    def orders(self, strategy: str) -> Sequence[Order]: ...
    def position_qty(self, symbol: str) -> Decimal: ...
    def instrument(self, symbol: str) -> Instrument: ...
    def quote(self, symbol: str) -> Quote | None: ...
    def now_ns(self) -> int: ...


class Strategy(Generic[P, S]):
    """Decides; the desk checks risk, journals, sends, and books what comes back.

        class Momentum(Strategy[MomentumParams, MomentumState]):
            def wants(self) -> Wants:
                return Wants(symbols=[self.params.symbol], bar_s=60)

            def on_bar(self, bar: Bar) -> None:
                if bar.close_px > bar.open_px:
                    self.submit(bar.symbol, Side.BUY, self.params.qty)

    Without parameters and without a state of its own, `class Momentum(Strategy)` is enough.

    The callbacks are plain functions that decide and return: they run on the desk's own event loop, so no waiting, no
    I/O, no threads (a callback that blocks for 1.5 s gets its node killed). Everything submitted and canceled in one
    callback becomes durable together with `state`, and only then leaves.

    `state` is all that survives a crash: keep what cannot be computed again there, and indicators outside of it (they
    are refilled by `warm_up`). A strategy that decides on closed bars and fills alone continues after a takeover
    exactly as if nothing had happened: each fill and each closed bar reaches it once. Quotes and timer ticks that
    passed during a takeover are gone.

    Take no clock, no chance and no environment from Python: use `now_ns()`, and keep a seed in `state`.
    An exception that leaves a callback stops this strategy and cancels its open orders; `Refused` from `submit` alone
    does not: it means that this one order may not be placed now.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    State: ClassVar[type[StrategyState]] = StrategyState

    desk_symbols: Sequence[str] = ()
    """The symbols that the desk trades; the loader fills them in before `wants` is asked."""

    def __init_subclass__(cls) -> None:
        """Read the two type arguments, so that the loader knows what to build."""
        for base in getattr(cls, "__orig_bases__", ()):
            if isinstance(get_origin(base), type) and issubclass(get_origin(base), Strategy):
                params, state = get_args(base)
                if not isinstance(params, TypeVar):
                    cls.Params, cls.State = params, state
        super().__init_subclass__()

    def __init__(self, name: str, params: P, state: S, floor: Floor | None = None) -> None:
        self.name = name
        self.params = params
        self.state = state
        self._at = floor

    @property
    def _floor(self) -> Floor:
        if self._at is None:
            raise Broken(f"strategy {self.name} is at no desk: it can act only in its callbacks")
        return self._at

    def wants(self) -> Wants:
        """Return which symbols, bars and timer to receive; unless overridden, quotes of all the desk's symbols.

        Asked once, before `warm_up`.
        """
        return Wants(symbols=self.desk_symbols)

    def warm_up(self, bars: Sequence[Bar]) -> None:
        """Refill indicators from closed bars, oldest first, all of them already reflected in `state`.

        Called once before `on_start`. What it computes must not depend on how the bars are split: there may be none.
        """

    def on_start(self) -> None:
        """Called at every start and takeover, when orders and positions are right.

        The fills and bars that `state` does not reflect yet follow it, then the newest quote.
        """

    def on_quote(self, quote: Quote) -> None:
        """Called with the newest best bid and ask; a slow strategy misses quotes, never the newest one."""

    def on_bar(self, bar: Bar) -> None:
        """Called once with each closed bar, also with those that closed during a takeover."""

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        """Called once with each trade of an order of this strategy, after the trade is booked durably.

        Over time `last_qty` adds up to the order's `cum_qty`. Where the venue counts a fill and shows no trade for it
        within the grace, the desk books a synthetic one and tells it here (`trade_id` begins with "hole-", without a
        fee); of real trades that replace it only what goes beyond it is told. What the venue takes back or corrects
        afterwards is not told here: `on_order` shows it in `cum_qty` and `avg_px`.
        """

    def on_order(self, order: Order) -> None:
        """Called when the status of an order of this strategy has changed, durably. Optional; may be called twice."""

    def on_timer(self) -> None:
        """Called every `timer_s`."""

    def submit(
        self,
        symbol: str,
        side: Side,
        qty: Decimal,
        px: Decimal | None = None,
        *,
        ord_type: OrdType | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> str:
        """Decide an order and return its client order id. Its exposure is reserved at once; it leaves when durable.

        Args:
            qty: in base units, a multiple of the instrument's `step_qty`.
            px: in quote units, a multiple of `tick_px`; None makes it a market order.
            ord_type: default LIMIT with a price and MARKET without; LIMIT_MAKER is refused rather than taking.

        Raises:
            Refused: risk, the instrument or the desk's mode does not allow it; nothing was decided.
        """
        chosen = ord_type or (OrdType.MARKET if px is None else OrdType.LIMIT)
        order = NewOrder("", symbol, side, chosen, qty, px, time_in_force)
        return self._floor.submit(self.name, order)

    def cancel(self, cl_ord_id: str, reason: str = "") -> None:
        """Ask for an order of this strategy to be canceled; it is over when `on_order` says so, and may fill before.

        A second request for the same order, or one for an order that is already over, does nothing.
        """
        self._floor.cancel(self.name, cl_ord_id, reason)

    def replace(
        self, cl_ord_id: str, *, qty: Decimal | None = None, px: Decimal | None = None, reason: str = ""
    ) -> None:
        """Ask for an order of this strategy on other terms; None keeps what it has. It may fill on the old ones before.

        The order is canceled; once that is proved, what remains of the new quantity is intended as a new order, whose
        `replaces` names this one and of which `on_order` tells. If nothing remains, the venue keeps the old order, or
        a limit forbids the new one by then, no order takes its place, and the journal says why. While a request
        for the order is undecided, or for one that is over, this does nothing.

        Args:
            qty: in base units, what traded already included; above it.

        Raises:
            Refused: a limit, the instrument or the desk's mode does not allow the new terms; the order stays.
        """
        self._floor.replace(self.name, cl_ord_id, qty, px, reason)

    def orders(self) -> Sequence[Order]:
        """Return this strategy's orders that are not over, oldest first, those not yet acknowledged included."""
        return self._floor.orders(self.name)

    def position_qty(self, symbol: str) -> Decimal:
        """Return the desk's position in the symbol, in base units: what its trades since the opening add up to."""
        return self._floor.position_qty(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """Return steps and limits of the symbol."""
        return self._floor.instrument(symbol)

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote of the symbol, None before the first."""
        return self._floor.quote(symbol)

    def now_ns(self) -> int:
        """Return UTC nanoseconds since 1970 of the desk's clock."""
        return self._floor.now_ns()
