"""A look through a journal that nobody uses yet: better a start that is refused than half a journal."""

from __future__ import annotations

from pathlib import Path

import apsw

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.chain import ZERO_HASH
from trading_orchestrator.storage.ports import Fact, Head
from trading_orchestrator.storage.sqlite import queries
from trading_orchestrator.storage.sqlite.connection import connect_scanner
from trading_orchestrator.storage.sqlite.failures import corrupt, explain_opening
from trading_orchestrator.storage.sqlite.schema import inspect, shipped_migrations

LOOK_S = 0.5
"""About 300 MB of pages (measured: 0.8 GB/s from memory); `journal verify` reads every fact and takes its time."""
WALK_S = 0.1
"""The newest 15,000 facts or so (measured: 6 µs each); a desk folds the newest 2,000 of its own at a start."""
ASK_EVERY_STEPS = 10_000
BATCH_FACTS = 100


def look_through(
    path: Path, *, clock: Clock, within_s: float = LOOK_S, walk_s: float = WALK_S, unused: bool = False
) -> None:
    """Return when every page reads back and the chains hold back from their heads, or time is up.

    Read-only and blocking: runs on a thread.

    Args:
        within_s: for all of it.
        walk_s: the part that belongs to the chains, however long the pages take.
        unused: nobody is about to open it, so nothing need be put beside it.

    Raises:
        JournalCorrupt: a page or a fact does not; the file was not changed.
        JournalNewer, NotAJournal: this program cannot read it.
        JournalUnwritable, StorageUnavailable: it cannot be opened.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    inspect(path, newest=shipped_migrations()[-1].version, unused=unused)
    began_ns = clock.monotonic_ns()
    pages_until_ns = began_ns + round((within_s - walk_s) * 1e9)
    try:
        connection = connect_scanner(path, unused=unused)
        try:
            said = _look_at_pages(connection, clock, pages_until_ns) or _walk_back(
                connection, clock, clock.monotonic_ns() + round(walk_s * 1e9)
            )
        finally:
            connection.close(True)
    except (apsw.Error, UnicodeDecodeError) as error:
        raise explain_opening(error, path) from error
    if said:
        raise corrupt(path, said)


def _look_at_pages(connection: apsw.Connection, clock: Clock, until_ns: int) -> str:
    """Return SQLite's first complaint, "" when there is none or time is up."""
    connection.set_progress_handler(lambda: clock.monotonic_ns() > until_ns, ASK_EVERY_STEPS)
    try:
        said = str(next(connection.execute("PRAGMA quick_check(1)"))[0])
    except apsw.InterruptError:
        return ""
    finally:
        connection.set_progress_handler(None)
    return "" if said == "ok" else " ".join(said.replace("*** in database main ***", "").split())


def _walk_back(connection: apsw.Connection, clock: Clock, until_ns: int) -> str:
    """Return the first link that does not hold, from the newest fact back; "" when there is none or time is up."""
    if not next(connection.execute("PRAGMA user_version"))[0]:
        return ""  # whoever began to make it did not come far: it is made now
    connection.execute("BEGIN")  # heads and facts of the same moment
    links = {head.stream: head for head in queries.heads(connection)}
    before_pos = max((head.pos for head in links.values()), default=0) + 1
    if (last_pos := queries.last_pos(connection)) != before_pos - 1:
        return f"expected facts up to pos {before_pos - 1}, was {last_pos}"
    while facts := queries.facts_before(connection, None, before_pos, BATCH_FACTS):
        for fact in facts:
            if said := _broken_link(fact, before_pos - 1, links):
                return said
            links[fact.stream] = Head(fact.stream, fact.seq - 1, 0, fact.prev_hash)
            before_pos = fact.pos
        if clock.monotonic_ns() > until_ns:
            return ""
    ends = {link.stream for link in links.values() if (link.seq, link.hash) != (0, ZERO_HASH)}
    return f"stream {min(ends)} has lost its beginning" if ends else ""


def _broken_link(fact: Fact, pos: int, links: dict[str, Head]) -> str:
    """Return what is wrong with a fact that reads back, given what comes after it; "" for nothing.

    Args:
        links: by stream, its head at first, then what the fact after says of this one (`pos` 0: nothing).
    """
    link = links[fact.stream]
    if (pos, link.seq, link.hash) == (fact.pos, fact.seq, fact.hash) and link.pos in (0, fact.pos):
        return ""
    return f"the chain of stream {fact.stream} does not hold at seq {fact.seq}, pos {fact.pos}"
