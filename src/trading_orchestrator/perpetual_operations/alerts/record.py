"""The record of alerting: facts of engine and riders in one transaction, and a start from the newest snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.kernel.faultpoint import FaultPoint, no_fault
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.rider import Body, KeptFact, Rider, kept
from trading_orchestrator.perpetual_operations.alerts.rows import OUTBOX, SNAPSHOT, SNAPSHOT_KEY, puts_of
from trading_orchestrator.perpetual_operations.alerts.snapshot import snapshot_of, state_of
from trading_orchestrator.perpetual_operations.alerts.state import State
from trading_orchestrator.storage.ports import Fact, FactStore, Fence, NewFact, ProjectionRow, Put

log = logging.getLogger(__name__)
SNAPSHOT_EVERY_FACTS = 2_000
WHOLE_BYTES_MAX = 900_000  # a fact or a row may hold 1 MB
PIECE_CHARS = 200_000  # of at most four bytes each
READ_AT_ONCE = 1_000


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a fact or of a row that is too large for one: the texts, in order, are its JSON."""

    kind: ClassVar[str] = "alert.piece"
    of: str
    number: int
    count: int
    text: str


class InPieces(msgspec.Struct, frozen=True):
    """What a row says instead when its value is kept in pieces, under `KEY.0`, `KEY.1`, …"""

    pieces: int = 0


class Record:
    """Writes and reads the stream `ops/alerts`. One event loop; one append at a time.

    `unread` counts what the last load could not take in: one such fact must not end alerting for good.

    Args:
        fault: asked before and after each append, by kind of fact.
    """

    def __init__(
        self, store: FactStore, *, node: str, fence: Fence, riders: Sequence[Rider], fault: FaultPoint = no_fault
    ) -> None:
        self._store = store
        self._node = node
        self._fence = fence
        self._riders = riders
        self._fault = fault
        self._facts_since_snapshot = 0
        self.unread = 0

    async def append(self, state: State, decided: Sequence[Body], now_ns: int) -> None:
        """Make the decisions durable with the rows that follow from them.

        Raises:
            StaleEpoch, StorageUnavailable, CommitUnknown: throw engine and riders away, and load anew.
        """
        if not decided:
            return
        puts = [_shortened(put) for put in puts_of(decided)]
        for rider in self._riders:
            puts += rider.rows(decided)
        self._facts_since_snapshot += len(decided)
        if self._facts_since_snapshot >= SNAPSHOT_EVERY_FACTS:
            puts += self._snapshot(state, now_ns)
            self._facts_since_snapshot = 0
        kinds = list({body.kind: None for body in decided})
        for kind in kinds:
            await self._fault(f"{kind}.decided")
        last = list({(put.projection, put.key): put for put in puts}.values())
        facts = [fact for body in decided for fact in _facts_of(body)]
        await self._store.append(facts, node=self._node, fence=self._fence, puts=last)
        for kind in kinds:
            await self._fault(f"{kind}.durable")

    async def load(self) -> State:
        """Return the engine's state, every rider loaded too: from the snapshot, and the facts after it."""
        self.unread = 0
        state, pos = await self._from_snapshot()
        self._facts_since_snapshot = 0
        pieces: list[Piece] = []
        while facts := await self._store.read(stream=f.STREAM, after_pos=pos, limit=READ_AT_ONCE):
            for kind, body in self._whole(facts, pieces):
                self._take(kind, body, state.load)
                for rider in self._riders:
                    self._take(kind, body, rider.load)
            pos = facts[-1].pos
            self._facts_since_snapshot += len(facts)
        return state

    def _whole(self, facts: Sequence[Fact], pieces: list[Piece]) -> Iterator[tuple[str, bytes]]:
        """Yield kind and body of each fact, those in pieces put together; `pieces` lives on from page to page."""
        for fact in facts:
            if fact.kind != Piece.kind:
                yield fact.kind, fact.body
                continue
            self._take(fact.kind, fact.body, lambda _, body: pieces.append(msgspec.json.decode(body, type=Piece)))
            if pieces and len(pieces) == pieces[-1].count:
                yield pieces[-1].of, "".join(piece.text for piece in pieces).encode()
                pieces.clear()

    def _take(self, kind: str, body: bytes, load: Callable[[str, bytes], None]) -> None:
        try:
            load(kind, body)
        except Exception:  # whatever is wrong with it, the next start would find it again
            self.unread += 1
            if self.unread == 1:
                log.exception("a fact %s cannot be read, and alerting goes on without it: %.500s", kind, body)

    def _snapshot(self, state: State, now_ns: int) -> Iterator[Put]:
        yield from _row_puts(SNAPSHOT_KEY, msgspec.json.encode(snapshot_of(state)))
        for rider in self._riders:
            yield from _row_puts(rider.name, msgspec.json.encode(kept(rider.snapshot(now_ns))))

    async def _from_snapshot(self) -> tuple[State, int]:
        """A rider without a snapshot of the same moment is new since: then everything is folded from the beginning."""
        row = await self._store.row(SNAPSHOT, SNAPSHOT_KEY)
        beside = [await self._store.row(SNAPSHOT, rider.name) for rider in self._riders]
        if row is None or any(one is None or one.pos != row.pos for one in beside):
            return State(), 0
        try:
            state = state_of(await self._value(SNAPSHOT_KEY, row))
        except msgspec.MsgspecError:
            self.unread += 1
            log.exception("the snapshot of the alerts cannot be read: every fact is folded again")
            return State(), 0
        for rider, one in zip(self._riders, beside, strict=True):
            assert one is not None
            for fact in msgspec.json.decode(await self._value(rider.name, one), type=list[KeptFact]):
                self._take(fact.kind, bytes(fact.body), rider.load)
        return state, row.pos

    async def _value(self, key: str, row: ProjectionRow) -> bytes:
        if row.value.startswith(b"["):
            return row.value
        count = msgspec.json.decode(row.value, type=InPieces).pieces
        texts: list[str] = []
        for number in range(count):
            piece = await self._store.row(SNAPSHOT, f"{key}.{number}")
            assert piece is not None  # written by the same transaction
            texts.append(msgspec.json.decode(piece.value, type=Piece).text)
        return "".join(texts).encode() if count else row.value


def _row_puts(key: str, encoded: bytes) -> Iterator[Put]:
    if len(encoded) <= WHOLE_BYTES_MAX:
        yield Put(SNAPSHOT, key, msgspec.Raw(encoded))
        return
    pieces = list(_pieces(key, encoded))
    yield Put(SNAPSHOT, key, InPieces(len(pieces)))
    for piece in pieces:
        yield Put(SNAPSHOT, f"{key}.{piece.number}", piece)


def _facts_of(body: Body) -> Iterable[NewFact]:
    """A group of fifty thousand alerts names more of them than one fact can hold."""
    encoded = msgspec.json.encode(body)
    if len(encoded) <= WHOLE_BYTES_MAX:
        return (NewFact(f.STREAM, body.kind, msgspec.Raw(encoded)),)
    return [NewFact(f.STREAM, Piece.kind, piece) for piece in _pieces(body.kind, encoded)]


def _pieces(of: str, encoded: bytes) -> Iterator[Piece]:
    text = encoded.decode()
    count = -(-len(text) // PIECE_CHARS)
    for number in range(count):
        part = text[number * PIECE_CHARS : (number + 1) * PIECE_CHARS]
        yield Piece(of=of, number=number, count=count, text=part)


def _shortened(put: Put) -> Put:
    """The row of a message serves readers, who need no list of fifty thousand names."""
    value = put.value
    if put.projection != OUTBOX or not isinstance(value, f.NotificationDue):
        return put
    if len(value.firing) + len(value.resolved) + len(value.settled) < WHOLE_BYTES_MAX // 40:
        return put
    return Put(OUTBOX, put.key, msgspec.structs.replace(value, firing=(), resolved=(), settled=()))
