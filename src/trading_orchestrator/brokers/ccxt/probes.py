"""What tells a mute stream from a quiet one: the venue's state now against what the stream told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading_orchestrator.brokers.budget import Purpose, asking
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.stream_watch import StreamWatch
from trading_orchestrator.market.port import Quote, Trade


class AccountProbe:
    """Two looks at the balances, free and locked, with no frame between them: they are equal, or one was missed.

    An order placed, canceled or filled by anyone moves one of them, and so does a transfer.
    """

    def __init__(self, dialect: Dialect, watch: StreamWatch) -> None:
        self._dialect = dialect
        self._watch = watch
        self._seen: tuple[object, object] | None = None

    async def differs(self) -> bool:
        """Return whether something happened between the last look and this one that no frame told of."""
        told = self._watch.connections, self._watch.frames
        with asking(Purpose.POLL):
            balances = {each.asset: (each.free, each.locked) for each in await self._dialect.balances()}
        before, self._seen = self._seen, (told, balances)
        return before is not None and before[0] == told and before[1] != balances


class MarketProbe:
    """The best bid and ask of each symbol against the last ones that `reader` was shown."""

    def __init__(self, dialect: Dialect, symbols: Sequence[str], reader: Callable[[Quote | Trade], None]) -> None:
        self._dialect = dialect
        self._symbols = symbols
        self._reader = reader
        self._shown: dict[str, Quote] = {}

    def show(self, item: Quote | Trade) -> None:
        """Hand the reader what the stream brought."""
        if isinstance(item, Quote):
            self._shown[item.symbol] = item
        self._reader(item)

    async def differs(self) -> bool:
        """Ask for the quotes, show the reader those that are not his last, and return whether there was one."""
        before = dict(self._shown)
        with asking(Purpose.POLL):
            quotes = await self._dialect.quotes(self._symbols)
        # What the stream brought while we asked is newer than the answer, or the same.
        silent = [each for each in quotes if self._shown.get(each.symbol) is before.get(each.symbol)]
        news = [each for each in silent if not _same(each, before.get(each.symbol))]
        for quote in news:
            self.show(quote)
        return bool(news)


def _same(quote: Quote, other: Quote | None) -> bool:
    return other is not None and _terms(quote) == _terms(other)


def _terms(quote: Quote) -> tuple[object, ...]:
    return quote.bid_px, quote.bid_qty, quote.ask_px, quote.ask_qty
