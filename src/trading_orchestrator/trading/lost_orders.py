"""Finds orders that this journal sent and no longer knows: it was restored, and the venue went on (F33).

A client order id is a pure function of account, timeline, strategy and number, so the ids that this journal would mint
next can be asked for. Where nothing was lost, the venue knows none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from trading_orchestrator.brokers.budget import Purpose, asking
from trading_orchestrator.brokers.port import OrderReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.client_id import cl_ord_id

log = logging.getLogger(__name__)
Ask = Callable[[str, str], Awaitable[OrderReport | None]]
"""Symbol and cl_ord_id in; the order out, None when the venue said that it has none. Raises when it said nothing."""

STEP = 8
GAP = 24
"""So many ids in a row unknown to the venue end the search: denied orders took numbers and never reached it."""
FURTHER = (1, 2, 4, 8, 16)
"""Asked for beside the very next id: what was lost first may have been refused by the venue, which forgot it then."""
QUESTIONS_MOST = 40
LOOK_WITHIN_S = 1.0
"""What is unanswered by then is left out, and so are the numbers it was about."""
LEAP_LEAST = 1_000
"""Numbers left out after the last one found, so that no id is ever given to two orders, gaps included."""
LEAP_OCTETS = 4
"""So many random octets lengthen each leap: a journal put back to before one would else land where it landed before."""


@dataclass
class Look:
    """What a start's questions told. `is_whole`: every id was asked for, and answered."""

    is_ahead: bool
    is_whole: bool


@dataclass
class Lost:
    """What the search found. `intents`: for each strategy with lost orders, the number after which to go on."""

    reports: list[OrderReport] = field(default_factory=list)
    intents: dict[str, int] = field(default_factory=dict)


class LostOrders:
    """The questions of each start about the next ids; a search when an answer, or a stranger, gives reason.

    A question without an answer ends the search by its error: taken for a no, it would let ids be minted again that
    the venue knows.

    Args:
        wanted: the symbols of each strategy that may have sent orders.
        ask, ask_once: ask the venue for one order, patiently or once.
        random_bytes: how far to leap.
        is_known_current: we followed this journal while our predecessor decided, so nobody can have put it back.
    """

    def __init__(
        self,
        book: Book,
        wanted: Mapping[str, Sequence[str]],
        *,
        ask: Ask,
        ask_once: Ask,
        clock: Clock,
        random_bytes: RandomBytes,
        is_known_current: bool = False,
    ) -> None:
        self._book = book
        self._wanted = wanted
        self._ask = ask
        self._ask_once = ask_once
        self._clock = clock
        self._random_bytes = random_bytes
        self._is_known_current = is_known_current

    async def look(self) -> Look:
        """Return whether the venue knows an order that this journal would send next.

        Only what nobody else needs of the request budget is spent beyond the very next id: where an answer is late, or
        proves nothing, asking for more would keep a desk from its work (F7). What was lost and is open, or traded
        lately, is seen as a stranger all the same, and then only an answered search lets the desk begin; what was lost
        and ended cannot be doubled once `skipped` numbers are left out.
        """
        if self._is_known_current:
            return Look(is_ahead=False, is_whole=True)
        looking = asyncio.create_task(self._look())
        within = asyncio.create_task(self._clock.sleep(LOOK_WITHIN_S))
        try:
            await asyncio.wait((looking, within), return_when=asyncio.FIRST_COMPLETED)
            return looking.result() if looking.done() else Look(is_ahead=False, is_whole=False)
        finally:
            looking.cancel()
            within.cancel()

    async def _look(self) -> Look:
        pairs = sum(len(symbols) for symbols in self._wanted.values())
        further = FURTHER if pairs * len(FURTHER) <= QUESTIONS_MOST else ()
        try:
            is_ahead = await self._knows_any((0,))
            with asking(Purpose.POLL):
                is_ahead = is_ahead or await self._knows_any(further)
        except OrchestratorError as error:
            log.warning("whether the journal is behind the venue could not be asked: %s", error.message)
            return Look(is_ahead=False, is_whole=False)
        return Look(is_ahead=is_ahead, is_whole=is_ahead or bool(further))

    async def _knows_any(self, ahead: Sequence[int]) -> bool:
        questions = [
            asyncio.ensure_future(self._ask_once(symbol, self._name(strategy, each)))
            for strategy, symbols in self._wanted.items()
            for each in ahead
            for symbol in symbols
        ]
        try:
            return any(report is not None for report in await asyncio.gather(*questions))
        finally:
            for question in questions:  # one without an answer is enough to leap: the rest would only spend the budget
                question.cancel()

    def skipped(self) -> dict[str, int]:
        """Return for each strategy the number after which to go on when nobody can tell which ids were used."""
        return {strategy: self._beyond(0, strategy) for strategy in self._wanted}

    async def search(self) -> Lost:
        """Return every order of ours beyond what this journal minted, up to a gap of `GAP` numbers."""
        lost = Lost()
        for strategy in self._wanted:
            last = await self._search(strategy, lost)
            if last is not None:
                lost.intents[strategy] = self._beyond(last + 1, strategy)
        return lost

    def _beyond(self, ahead: int, strategy: str) -> int:
        """Return a number that no intent of any life of this journal had."""
        leap = LEAP_LEAST + int.from_bytes(self._random_bytes(LEAP_OCTETS), "big")
        return self._book.intent_count(strategy) + ahead + leap

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
        name = self._name(strategy, ahead)
        answers = await asyncio.gather(*(self._ask(symbol, name) for symbol in self._wanted[strategy]))
        return [report for report in answers if report is not None]

    def _name(self, strategy: str, ahead: int) -> str:
        book = self._book
        return cl_ord_id(book.account, book.timeline, book.next_intent_id(strategy, ahead=ahead), 0)
