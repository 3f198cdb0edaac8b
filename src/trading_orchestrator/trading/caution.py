"""What the desk itself does when it finds something that a person has to look at."""

from __future__ import annotations

from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import DeskModeChanged


def until_a_person_looks(book: Book, reason: str) -> list[DeskModeChanged]:
    """Return what keeps the desk from new risk until `desk resume`; nothing when its mode does so already.

    One that is halted because its key is refused may go on by itself later: it stays halted then.
    """
    if book.mode == "normal":
        return [DeskModeChanged(mode="reduce_only", by="desk", reason=reason)]
    if book.mode_before_refusal == "normal":
        return [DeskModeChanged(mode="halted", by="desk", reason=reason)]
    return []
