"""Two looks at the balances at once each keep their own sums, and both end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from trading_orchestrator.brokers.port import Balance
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.trading.balance_check import SETTLE_S, BalanceCheck


class MovingBook:
    """Sums as the test sets them."""

    def __init__(self) -> None:
        self.eur = Decimal(100)
        self.unexplained: dict[str, Decimal] = {}

    def balances(self) -> dict[str, Decimal]:
        return {"EUR": self.eur, "USDT": Decimal(0)}


class SlowBroker:
    """Answers each question when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Sequence[Balance]]] = []

    async def balances(self) -> Sequence[Balance]:
        answer: asyncio.Future[Sequence[Balance]] = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        return await answer


async def test_the_second_look_to_end_hears_of_the_trade_that_came_in_between() -> None:
    """Found by simulation, seed 1007: looks with equal sums were told apart by value, and the later one died."""
    book, broker, clock = MovingBook(), SlowBroker(), VirtualClock()
    check = BalanceCheck(book, broker, clock, ["EUR/USDT"])  # type: ignore[arg-type]  # what it asks of a Book and a Broker
    looks = [asyncio.create_task(check.differences()) for _ in range(2)]
    await clock.advance(0.01)

    broker.asked[1].set_result([Balance("EUR", Decimal(100), Decimal(0))])
    await clock.advance(0.01)
    book.eur = Decimal(110)
    check.moved()
    broker.asked[0].set_result([Balance("EUR", Decimal(110), Decimal(0))])
    await clock.advance(SETTLE_S + 0.1)

    assert [{}, {}] == [await look for look in looks]
