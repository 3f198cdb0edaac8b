"""A feed that brings no quote before the test moves the market, so that a test knows what is decided on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.market.port import Quote, Trade


class FromTheNextTick(CcxtFeed):
    """Leaves out the quotes that a feed asks for when it starts, until `ticks` moved on; below 0: leaves out none."""

    def __init__(self, *args: Any, ticks: Callable[[], int], **more: Any) -> None:
        super().__init__(*args, **more)
        self._ticks = ticks

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        opened = self._ticks()
        async for item in super().events(symbols):
            if isinstance(item, Trade) or opened < 0 or self._ticks() > opened:
                yield item
