"""Verification: every stream's chain from its first fact to its head; the first broken link is named."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec

from trading_orchestrator.storage.chain import ZERO_HASH, hash_of
from trading_orchestrator.storage.ports import Fact, Head, JournalCorrupt
from trading_orchestrator.storage.scan import Bounds, FactScan

BATCH_FACTS = 2000


class BrokenLink(msgspec.Struct, frozen=True):
    """Where the journal stops reading back as written. `stream` is "" and `seq` 0 where even that is unreadable."""

    stream: str
    seq: int
    pos: int
    what: str


class VerifyReport(msgspec.Struct, frozen=True):
    """How far the journal holds: all of it when `broken` is None."""

    facts: int
    streams: int
    last_pos: int
    broken: BrokenLink | None

    @property
    def ok(self) -> bool:
        return self.broken is None


class _Break(Exception):
    def __init__(self, link: BrokenLink) -> None:
        self.link = link


def verify_scan(scan: FactScan) -> VerifyReport:
    """Check every fact up to the journal's end as it was when the check began."""
    tips: dict[str, Head] = {}
    pos = 0
    try:
        bounds = scan.bounds()
        for fact in _every_fact(scan, bounds.last_pos):
            _check_link(fact, pos, tips.get(fact.stream) or Head(fact.stream, 0, 0, ZERO_HASH))
            tips[fact.stream] = Head(fact.stream, fact.seq, fact.pos, fact.hash)
            pos = fact.pos
        _check_ends(bounds, pos, tips)
        if damage := scan.damage():
            raise _Break(BrokenLink("", 0, 0, f"every fact reads well, but the file does not: {damage}"))
    except JournalCorrupt as error:
        return _report(tips, pos, BrokenLink("", 0, pos + 1, f"the database cannot read on: {error.message}"))
    except _Break as broken:
        return _report(tips, pos, broken.link)
    return _report(tips, pos, None)


def _every_fact(scan: FactScan, last_pos: int) -> Iterator[Fact]:
    """Yield facts in order; before an unreadable place, every one that can still be read."""
    pos, limit = 0, BATCH_FACTS
    while pos < last_pos:
        try:
            batch = scan.facts(pos, limit)
        except JournalCorrupt:
            if limit == 1:
                raise
            limit = max(limit // 2, 1)
            continue
        if not batch:
            return
        yield from (fact for fact in batch if fact.pos <= last_pos)
        pos = batch[-1].pos


def _check_link(fact: Fact, before_pos: int, tip: Head) -> None:
    try:
        _expect(fact, "pos", before_pos + 1, fact.pos)
        _expect(fact, "seq", tip.seq + 1, fact.seq)
        _expect(fact, "prev_hash", tip.hash.hex(), fact.prev_hash.hex())
        _expect(fact, "hash", hash_of(fact).hex(), fact.hash.hex())
    except (AttributeError, TypeError, struct.error) as error:  # damage can change the type of a stored value too
        what = f"type: expected each field as it was written, was another ({error})"
        raise _Break(BrokenLink(str(fact.stream), tip.seq + 1, fact.pos, what)) from error


def _expect(fact: Fact, field: str, expected: object, was: object) -> None:
    if expected != was:
        raise _Break(BrokenLink(fact.stream, fact.seq, fact.pos, f"{field}: expected {expected}, was {was}"))


def _check_ends(bounds: Bounds, pos: int, tips: dict[str, Head]) -> None:
    if pos != bounds.last_pos:
        raise _Break(BrokenLink("", 0, pos + 1, f"expected facts up to pos {bounds.last_pos}, was {pos}"))
    heads: Sequence[Head] = [head for head in bounds.heads if head.seq]
    for head in heads:
        tip = tips.get(head.stream, Head(head.stream, 0, 0, ZERO_HASH))
        if tip != head:
            what = f"head: expected seq {head.seq} at pos {head.pos} with {head.hash.hex()}, was {_told(tip)}"
            raise _Break(BrokenLink(head.stream, min(tip.seq, head.seq) + 1, tip.pos, what))
    if headless := sorted(tips.keys() - {head.stream for head in heads}):
        tip = tips[headless[0]]
        raise _Break(BrokenLink(tip.stream, tip.seq, tip.pos, "head: expected one for this stream, was none"))


def _told(tip: Head) -> str:
    return f"seq {tip.seq} at pos {tip.pos} with {tip.hash.hex()}"


def _report(tips: dict[str, Head], pos: int, broken: BrokenLink | None) -> VerifyReport:
    return VerifyReport(sum(tip.seq for tip in tips.values()), len(tips), pos, broken)
