"""A venue that refuses the account's key (−2015) stops the desk and pages a human; what follows when it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trading_orchestrator.brokers.port import KeyRefused
from trading_orchestrator.trading.facts import DeskKeyAccepted, DeskKeyRefused, DeskModeChanged
from trading_orchestrator.trading.record import DeskRecord

EVERY_KIND = ("open_orders", "trades", "balances")


class KeyStop:
    """Halts the desk at the first refusal of its key, and knows when the venue accepts it again.

    Only answers to questions show that, and only after questions were refused: a key may have lost the right to trade
    alone, and then each order that was tried would be refused anew. Every kind of question that a start depends on has
    to be answered, since a key may have lost the right to one alone, and not all of a venue hears of it at once.

    Args:
        resumes: whether the desk goes on by itself in the mode it had, unless a person has decided meanwhile.
        ask_soon: puts questions of these kinds soon.
        begin_anew: reconciles with the venue as at a takeover: fills may have been missed.
    """

    def __init__(
        self,
        record: DeskRecord,
        *,
        resumes: bool,
        ask_soon: Callable[[Iterable[str]], None],
        begin_anew: Callable[[], None],
    ) -> None:
        self._record = record
        self._resumes = resumes
        self._ask_soon = ask_soon
        self._begin_anew = begin_anew
        self._is_reconciled = False
        self._answered: set[str] = set()

    def refused(self, refused: KeyRefused, question: str) -> None:
        """Stop once: every other request of these moments hears the same."""
        self._answered.discard(question)
        book = self._record.book
        stopped_before = book.is_halted or book.is_killed
        is_news = bool(question and book.mode_before_refusal) and not book.key_is_refused
        if self._record.is_lost or (stopped_before and not is_news):
            return
        code = str(refused.facts.get("venue_code", ""))
        said = DeskKeyRefused(venue_code=code, text=str(refused.facts.get("text", "")), questions=bool(question))
        if stopped_before:
            self._record.write(said)
            return
        reason = f"the venue refuses the account's key ({code})"
        self._record.write(said, DeskModeChanged(mode="halted", by="desk", reason=reason))

    def accepted(self, question: str) -> None:
        """The venue answered a question that was signed with the key."""
        if not self._is_reconciled or self._record.is_lost or not self._record.book.key_is_refused:
            return
        self._answered.add(question)
        if missing := [kind for kind in EVERY_KIND if kind not in self._answered]:
            self._ask_soon(missing)
        elif self._goes_on():
            self._begin_anew()
        else:
            self._answered.clear()
            self._record.write(DeskKeyAccepted())

    def reconciled(self) -> None:
        """The venue answered every question of a start."""
        self._is_reconciled = True
        book = self._record.book
        if not book.key_is_refused:
            return
        reason = "the venue accepts the account's key again"
        before = DeskModeChanged(mode=book.mode_before_refusal, by="desk", reason=reason)
        self._record.write(DeskKeyAccepted(), *([before] if self._goes_on() else []))

    def _goes_on(self) -> bool:
        return self._resumes and bool(self._record.book.mode_before_refusal)
