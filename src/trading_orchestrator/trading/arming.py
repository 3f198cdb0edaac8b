"""Whether orders may leave at all: a desk on a live broker starts unarmed, and what arms it is a named person's act."""

from __future__ import annotations

from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import Body
from trading_orchestrator.trading.permit_facts import DeskArmed, DeskDisarmed

DESK = "desk"


def arming_at_start(book: Book, *, live: bool, broker: str) -> Body | None:
    """Return what a desk that starts has to say of its permit, or None when it still stands.

    A permit given for practice is none for real money, nor is one for another account. What a person disarmed stays
    disarmed, on a practice venue too.
    """
    permit = book.permit
    if live:
        stands = not permit.armed or (permit.live and permit.account == book.account)
        return None if stands else DeskDisarmed(by=DESK, reason=f"broker {broker} moves real money")
    if not permit.armed and permit.by == DESK:
        reason = f"broker {broker} is configured as a practice venue (live = false)"
        return DeskArmed(account=book.account, live=False, by=DESK, reason=reason)
    return None
