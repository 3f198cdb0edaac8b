"""Finds orders that this journal sent and no longer knows: it was restored, and the venue went on (F33).

A client order id is a pure function of account, timeline, strategy and number, so the ids that this journal would mint
next can be asked for. Where nothing was lost, the venue knows none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from trading_orchestrator.brokers.port import OrderReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.client_id import cl_ord_id

log = logging.getLogger(__name__)
Ask = Callable[[str, str], Awaitable[OrderReport | None]]
"""Symbol and cl_ord_id in; the order out, None when the venue said that it has none. Raises when it said nothing."""

STEP = 8
GAP = 24
"""So many ids in a row unknown to the venue end the search: denied orders took numbers and never reached it."""
MARGIN = 1_000
"""Numbers left out after the last one found, so that no id is ever given to two orders, gaps included."""


@dataclass
class Lost:
    """What the search found. `intents`: for each strategy with lost orders, the number after which to go on."""

    reports: list[OrderReport] = field(default_factory=list)
    intents: dict[str, int] = field(default_factory=dict)


class LostOrders:
    """One question a strategy and symbol at each start; a search only when an answer, or a stranger, gives reason.

    A question without an answer ends the search by its error: taken for a no, it would let ids be minted again that
    the venue knows.

    Args:
        wanted: the symbols of each strategy that may have sent orders.
        ask: asks the venue for one order, patiently.
    """

    def __init__(self, book: Book, wanted: Mapping[str, Sequence[str]], ask: Ask) -> None:
        self._book = book
        self._wanted = wanted
        self._ask = ask

    async def look(self) -> bool:
        """Return whether the venue knows an order that this journal would send next; False when it does not answer.

        That must not keep a desk from its work while the status endpoint is down (F7). What was lost and is open, or
        traded lately, is seen as a stranger all the same, and then only an answered search lets the desk begin.
        """
        try:
            found = await asyncio.gather(*(self._at(strategy, 0) for strategy in self._wanted))
        except OrchestratorError as error:
            log.warning("whether the journal is behind the venue could not be asked: %s", error.message)
            return False
        return any(found)

    async def search(self) -> Lost:
        """Return every order of ours beyond what this journal minted, up to a gap of `GAP` numbers."""
        lost = Lost()
        for strategy in self._wanted:
            last = await self._search(strategy, lost)
            if last is not None:
                lost.intents[strategy] = self._book.intent_count(strategy) + last + 1 + MARGIN
        return lost

    async def _search(self, strategy: str, lost: Lost) -> int | None:
        """Return how many numbers ahead the last order found was."""
        ahead, last = 0, None
        while ahead <= (last or 0) + GAP:
            for step, reports in enumerate(
                await asyncio.gather(*(self._at(strategy, ahead + each) for each in range(STEP)))
            ):
                if reports:
                    last = ahead + step
                    lost.reports += reports
            ahead += STEP
        return last

    async def _at(self, strategy: str, ahead: int) -> list[OrderReport]:
        """Return the order whose intent is `ahead` numbers after the next one, if the venue has it."""
        book = self._book
        name = cl_ord_id(book.account, book.timeline, book.next_intent_id(strategy, ahead=ahead), 0)
        answers = await asyncio.gather(*(self._ask(symbol, name) for symbol in self._wanted[strategy]))
        return [report for report in answers if report is not None]
