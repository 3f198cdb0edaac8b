"""Hears a venue refuse the account's key (−2015), whoever asked: the desk stops and a human is paged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from trading_orchestrator.brokers.port import (
    Balance,
    Broker,
    Connected,
    KeyRefused,
    NewOrder,
    OrderReport,
    TradeAmendment,
    TradeReport,
)

T = TypeVar("T")


class KeyWatch:
    """A `Broker` that passes everything on.

    Args:
        on_refused: told of each answer that refuses the key, and to which question, "" when it was to none.
        on_accepted: told of each answer to a signed question, and to which.
    """

    def __init__(
        self, broker: Broker, on_refused: Callable[[KeyRefused, str], None], on_accepted: Callable[[str], None]
    ) -> None:
        self._broker = self.inner = broker
        self._on_refused = on_refused
        self._on_accepted = on_accepted

    @property
    def validity_s(self) -> float:
        return self._broker.validity_s

    @property
    def timeout_s(self) -> float:
        return self._broker.timeout_s

    async def connect(self) -> None:
        await self._heard(self._broker.connect())

    async def submit(self, order: NewOrder) -> OrderReport:
        return await self._heard(self._broker.submit(order))

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._heard(self._broker.cancel(symbol, cl_ord_id))

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._asked("order", self._broker.order(symbol, cl_ord_id))

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return await self._asked("open_orders", self._broker.open_orders(symbols))

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return await self._asked("trades", self._broker.trades(symbol, after_id=after_id, since_ns=since_ns))

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return await self._asked("trades_of", self._broker.trades_of(symbol, venue_order_id))

    async def balances(self) -> Sequence[Balance]:
        return await self._asked("balances", self._broker.balances())

    async def clock_offset_s(self) -> float:
        return await self._heard(self._broker.clock_offset_s())

    def reports(self) -> AsyncIterator[OrderReport | TradeReport | TradeAmendment | Connected]:
        return self._broker.reports()

    async def close(self) -> None:
        await self._broker.close()

    async def _asked(self, question: str, asking: Awaitable[T]) -> T:
        answer = await self._heard(asking, question)
        self._on_accepted(question)
        return answer

    async def _heard(self, asking: Awaitable[T], question: str = "") -> T:
        try:
            return await asking
        except KeyRefused as refused:
            self._on_refused(refused, question)
            raise
