"""A venue that refuses the account's key (−2015) stops the desk and pages a human; what follows when it is accepted."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.brokers.port import KeyRefused
from trading_orchestrator.trading.facts import DeskKeyAccepted, DeskKeyRefused, DeskModeChanged
from trading_orchestrator.trading.record import DeskRecord


class KeyStop:
    """Halts the desk at the first refusal of its key, and knows when the venue accepts it again.

    Only an answer to a question shows that, and only after questions were refused: a key may have lost the right to
    trade alone, and then each order that was tried would be refused anew.

    Args:
        resumes: whether the desk goes on by itself in the mode it had, unless a person has decided meanwhile.
        begin_anew: reconciles with the venue as at a takeover: fills may have been missed.
    """

    def __init__(self, record: DeskRecord, *, resumes: bool, begin_anew: Callable[[], None]) -> None:
        self._record = record
        self._resumes = resumes
        self._begin_anew = begin_anew
        self._is_reconciled = False

    def refused(self, refused: KeyRefused, question: bool) -> None:
        """Stop once: every other request of these moments hears the same."""
        book = self._record.book
        stopped_before = book.mode in ("halted", "killed")
        is_news = question and bool(book.mode_before_refusal) and not book.key_is_refused
        if self._record.is_lost or (stopped_before and not is_news):
            return
        code = str(refused.facts.get("venue_code", ""))
        said = DeskKeyRefused(venue_code=code, text=str(refused.facts.get("text", "")), questions=question)
        if stopped_before:
            self._record.write(said)
            return
        reason = f"the venue refuses the account's key ({code})"
        self._record.write(said, DeskModeChanged(mode="halted", by="desk", reason=reason))

    def accepted(self) -> None:
        """The venue answered a question that was signed with the key."""
        if not self._is_reconciled or self._record.is_lost or not self._record.book.key_is_refused:
            return
        if not self._goes_on():
            self._record.write(DeskKeyAccepted())
            return
        self._is_reconciled = False
        self._begin_anew()

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
