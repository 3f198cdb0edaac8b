"""What a stream has brought and its one reader has not yet read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from trading_orchestrator.market.port import Quote, Trade

T = TypeVar("T")


class Inbox(Generic[T]):
    """Items in order of arrival. `put` never waits and never refuses; use within one event loop.

    Args:
        most: how many may lie unread; one more and all of them give way to `instead()`.
    """

    def __init__(self, *, most: int | None = None, instead: Callable[[], T] | None = None) -> None:
        self._items: deque[T] = deque()
        self._most = most
        self._instead = instead
        self._news = asyncio.Event()
        self._ended = False

    def put(self, item: T) -> None:
        if self._instead is not None and self._most is not None and len(self._items) >= self._most:
            self._items.clear()
            self._items.append(self._instead())
        self._items.append(item)
        self._news.set()

    def end(self) -> None:
        """Let the reader leave once it has read what is here."""
        self._ended = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            while self._items:
                yield self._items.popleft()
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()


class MarketInbox:
    """Unread prices: every trade in order of arrival, and of each symbol only the newest quote."""

    def __init__(self) -> None:
        self._unread: Inbox[Trade | str] = Inbox()  # a symbol stands for its newest quote
        self._quotes: dict[str, Quote] = {}

    def put(self, item: Quote | Trade) -> None:
        if isinstance(item, Trade):
            self._unread.put(item)
            return
        if item.symbol not in self._quotes:
            self._unread.put(item.symbol)
        self._quotes[item.symbol] = item

    def end(self) -> None:
        """Let the reader leave once it has read what is here."""
        self._unread.end()

    async def __aiter__(self) -> AsyncIterator[Quote | Trade]:
        async for item in self._unread:
            yield self._quotes.pop(item) if isinstance(item, str) else item
