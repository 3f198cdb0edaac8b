"""The reads: each is one short read transaction, bounded by a limit or a window of positions.

A fact that does not read back as it was written is not returned: nobody acts on it (2 µs a fact).
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from trading_orchestrator.storage.chain import reads_back
from trading_orchestrator.storage.ports import Fact, Head, LeaseRow, ProjectionRow

# A filter by kind looks at no more than this many positions in one read transaction (20 ms at 2.5 M rows/s).
WINDOW_POS = 50_000

# CROSS JOIN fixes the order of the loops: facts by position outside, their stream's name inside.
_FACTS = (
    "SELECT f.pos, h.stream, f.seq, f.at_ns, f.node, f.epoch, f.kind, f.body, f.prev_hash, f.hash"
    " FROM facts AS f {index} CROSS JOIN heads AS h ON h.id = f.stream"
)
_ALL = _FACTS.format(index="NOT INDEXED")
_OF_STREAM = _FACTS.format(index="INDEXED BY facts_by_stream")
_THIS_STREAM = " AND f.stream = (SELECT id FROM heads WHERE stream = ?)"


def facts_after(
    connection: apsw.Connection, stream: str | None, after_pos: int, limit: int, kinds: Sequence[str]
) -> list[Fact]:
    """Return facts with pos > `after_pos`, ascending."""
    if not kinds:
        return _page(connection, stream, after_pos, None, limit, kinds)
    facts: list[Fact] = []
    end = last_pos(connection)
    while len(facts) < limit and after_pos < end:
        facts += _page(connection, stream, after_pos, after_pos + WINDOW_POS, limit - len(facts), kinds)
        after_pos += WINDOW_POS
    return facts


def _page(
    connection: apsw.Connection,
    stream: str | None,
    after_pos: int,
    until_pos: int | None,
    limit: int,
    kinds: Sequence[str],
) -> list[Fact]:
    sql = (_ALL if stream is None else _OF_STREAM) + " WHERE f.pos > ?"
    values: list[str | int] = [after_pos]
    if stream is not None:
        sql += _THIS_STREAM
        values.append(stream)
    if until_pos is not None:
        sql += " AND f.pos <= ?"
        values.append(until_pos)
    if kinds:
        sql += f" AND f.kind IN ({', '.join('?' * len(kinds))})"
        values += kinds
    return _facts(connection, sql + " ORDER BY f.pos LIMIT ?", [*values, limit])


def facts_before(connection: apsw.Connection, stream: str | None, before_pos: int | None, limit: int) -> list[Fact]:
    """Return facts with pos < `before_pos` (None: from the end), newest first."""
    sql = (_ALL if stream is None else _OF_STREAM) + " WHERE f.pos < ?"
    values: list[str | int] = [before_pos if before_pos is not None else 1 << 62]
    if stream is not None:
        sql += _THIS_STREAM
        values.append(stream)
    return _facts(connection, sql + " ORDER BY f.pos DESC LIMIT ?", [*values, limit])


def facts_as_stored(connection: apsw.Connection, after_pos: int, limit: int) -> list[Fact]:
    """Return facts with pos > `after_pos`, ascending, whatever their hashes say: for whoever checks them."""
    sql = _ALL + " WHERE f.pos > ? ORDER BY f.pos LIMIT ?"
    return [Fact(*row) for row in connection.execute(sql, (after_pos, limit))]


def _facts(connection: apsw.Connection, sql: str, values: list[str | int]) -> list[Fact]:
    facts = [Fact(*row) for row in connection.execute(sql, values)]
    for fact in facts:
        if not reads_back(fact):
            at = f"stream {fact.stream} at seq {fact.seq}, pos {fact.pos}"
            raise apsw.CorruptError(f"a fact does not read back as it was written: {at}")
    return facts


def last_pos(connection: apsw.Connection) -> int:
    """Return the position of the newest fact, 0 in an empty journal."""
    return int(next(connection.execute("SELECT coalesce(max(pos), 0) FROM facts"))[0])


def heads(connection: apsw.Connection) -> list[Head]:
    """Return every stream's head."""
    return [Head(*row) for row in connection.execute("SELECT stream, seq, pos, hash FROM heads ORDER BY stream")]


def row(connection: apsw.Connection, projection: str, key: str) -> ProjectionRow | None:
    """Return one projection row, or None."""
    sql = "SELECT key, value, pos FROM projection WHERE name = ? AND key = ?"
    for found in connection.execute(sql, (projection, key)):
        return ProjectionRow(*found)
    return None


def rows(connection: apsw.Connection, projection: str, before_pos: int | None, limit: int) -> list[ProjectionRow]:
    """Return rows newest first. Rows of one append share its pos and come together, so a page may exceed `limit`."""
    sql = (
        "SELECT key, value, pos FROM projection WHERE name = ?1 AND pos < ?2 AND pos >= coalesce("
        "(SELECT pos FROM projection WHERE name = ?1 AND pos < ?2 ORDER BY pos DESC LIMIT 1 OFFSET ?3), 0)"
        " ORDER BY pos DESC, key"
    )
    before = before_pos if before_pos is not None else 1 << 62
    return [ProjectionRow(*found) for found in connection.execute(sql, (projection, before, max(limit, 1) - 1))]


def leases(connection: apsw.Connection) -> list[LeaseRow]:
    """Return every lease."""
    sql = "SELECT name, holder, epoch, expires_ns, boot_id FROM leases ORDER BY name"
    return [LeaseRow(*found) for found in connection.execute(sql)]
