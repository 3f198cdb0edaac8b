"""The closed bars of every symbol and length that some strategy wants, kept for `warm_up`."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.deadline import Deadline
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.kernel.retry_budget import RetryBudget, retried
from trading_orchestrator.market.bars import BarBuilder
from trading_orchestrator.market.port import Bar, Feed, Quote, TellsBars, Trade, past_of

log = logging.getLogger(__name__)
QUOTE_GRACE_NS = 250_000_000
"""A quote closes a bar only this much later than a trade would: trades on their way may still belong to it."""


PAST_WITHIN_S = 30.0
"""For five pages of candles that wait for their turn in the venue's budget."""


class BarSeries:
    """Bars of one symbol and length. The bar that was open when we came is left out: it is not whole."""

    def __init__(self, symbol: str, bar_s: int, kept: int) -> None:
        self._builder = BarBuilder(symbol, bar_s)
        self._length_ns = bar_s * 1_000_000_000
        self._whole_from_ns: int | None = None
        self.closed: deque[Bar] = deque(maxlen=kept)
        self.filled_until_ns = 0
        self.is_whole = False

    def fill(self, past: Sequence[Bar]) -> None:
        """Take in what closed before our first own bar, oldest first. Whole once the open bar of then is among it."""
        from_ns = self._whole_from_ns
        own = [bar for bar in self.closed if from_ns is not None and bar.open_ns >= from_ns]
        older = [bar for bar in past if from_ns is None or bar.close_ns <= from_ns]
        self.closed.clear()
        self.closed.extend([*older, *own])
        self.is_whole = bool(own)
        self.filled_until_ns = older[-1].close_ns if older else 0

    def on_trade(self, trade: Trade) -> Sequence[Bar]:
        """Return the bar that this trade closes, if any, and take the trade in."""
        self._begin(trade.at_ns)
        return self._keep(self._builder.on_trade(trade))

    def on_quote(self, quote: Quote) -> Sequence[Bar]:
        """Return the bar that has ended by the venue's time, if any."""
        self._begin(quote.at_ns)
        return self._keep(self._builder.on_time(quote.at_ns - QUOTE_GRACE_NS))

    def _begin(self, at_ns: int) -> None:
        if self._whole_from_ns is None:
            self._whole_from_ns = at_ns - at_ns % self._length_ns + self._length_ns

    def _keep(self, bars: Sequence[Bar]) -> Sequence[Bar]:
        whole = [bar for bar in bars if self._whole_from_ns is not None and bar.open_ns >= self._whole_from_ns]
        self.closed.extend(whole)
        return whole


class BarHistory:
    """All series of a desk.

    Args:
        kept: how many closed bars of each.
        random_bytes: for jitter only.
    """

    def __init__(self, kept: int, clock: Clock, random_bytes: RandomBytes = system_random) -> None:
        self._kept = kept
        self._clock = clock
        self._random_bytes = random_bytes
        self._retries = RetryBudget()  # a venue without candles is not asked three times for each of a hundred series
        self._series: dict[tuple[str, int], BarSeries] = {}

    def want(self, symbol: str, bar_s: int) -> None:
        """Build this series from now on."""
        if (symbol, bar_s) not in self._series:
            self._series[symbol, bar_s] = BarSeries(symbol, bar_s, self._kept)

    async def fill(self, feed: Feed) -> None:
        """Ask the feed for what closed before we came, if it can tell, and again within the retry budget.

        A question that fails all the same leaves a series to grow. To be called again after `has_hole` told of one: the
        bar that was open when we came closes later.
        """
        past = past_of(feed)
        if past is None:
            for series in self._series.values():
                series.is_whole = True  # as whole as it will be
            return
        for (symbol, bar_s), series in self._series.items():
            if series.is_whole:
                continue
            try:
                series.fill(await self._past_bars(past, symbol, bar_s))
            except OrchestratorError as error:
                log.warning("no past bars of %s: %s", symbol, error.message)

    async def _past_bars(self, past: TellsBars, symbol: str, bar_s: int) -> Sequence[Bar]:
        return await retried(
            lambda: past.bars(symbol, bar_s, last=self._kept),
            budget=self._retries,
            deadline=Deadline(self._clock, PAST_WITHIN_S, what=f"the past of {symbol}"),
            clock=self._clock,
            random_bytes=self._random_bytes,
            changes_nothing=True,
        )

    def closed(self, symbol: str, bar_s: int) -> Sequence[Bar]:
        """Return the kept bars, oldest first."""
        series = self._series.get((symbol, bar_s))
        return () if series is None else tuple(series.closed)

    def has_hole(self, closed: Sequence[tuple[int, Bar]]) -> bool:
        """Return whether a series of these bars lacks the one that was open when we came."""
        return any(not self._series[bar.symbol, bar_s].is_whole for bar_s, bar in closed)

    def filled_until_ns(self, symbol: str, bar_s: int) -> int:
        """Return when the last bar closed that nobody here saw grow: those are for indicators, not for decisions."""
        series = self._series.get((symbol, bar_s))
        return 0 if series is None else series.filled_until_ns

    def on_event(self, event: Quote | Trade) -> list[tuple[int, Bar]]:
        """Take an event in; return the bars that it closes, each with its length in seconds."""
        closed: list[tuple[int, Bar]] = []
        for (symbol, bar_s), series in self._series.items():
            if symbol == event.symbol:
                bars = series.on_trade(event) if isinstance(event, Trade) else series.on_quote(event)
                closed += [(bar_s, bar) for bar in bars]
        return closed
