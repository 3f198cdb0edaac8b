"""The Book: what one desk knows, as a fold over the facts of its stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from trading_orchestrator.brokers.port import Side, TradeReport
from trading_orchestrator.errors import Broken
from trading_orchestrator.storage.ports import Fact, JournalCorrupt, NewFact, Put
from trading_orchestrator.trading.facts import KIND_OF, KINDS, Body
from trading_orchestrator.trading.fold import FOLDS
from trading_orchestrator.trading.folded import Desk
from trading_orchestrator.trading.orders.ledger import KnownTrade
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.shelf import Shelf
from trading_orchestrator.trading.positions.exposure import Exposure
from trading_orchestrator.trading.positions.position import Position
from trading_orchestrator.trading.rows import SNAPSHOT, rows_touched
from trading_orchestrator.trading.state import DayLoss, Disabled, Permit, Reconciled, Replacement, State

SNAPSHOT_EVERY_FACTS = 2_000
"""A start-up folds at most this many facts beyond the snapshot (about 0.1 s)."""

_SEAL = b',"checksum":"'

CURSOR_MARGIN_NS = 60_000_000_000
"""How far a trade's venue time may lie before that of one with a lower id, or before the time of a fact."""


class StreamGap(Broken):
    """A fact is missing between the book and the one it was given: read the stream again. Facts: expected, was."""

    code = "book.stream_gap"


class SnapshotDamaged(Broken):
    """A snapshot row does not read back as it was written. It is a cache: fold the facts."""

    code = "book.snapshot_damaged"


class Recorded(msgspec.Struct, frozen=True):
    """Facts ready to append, and the projection rows that belong to them."""

    facts: tuple[NewFact, ...]
    puts: tuple[Put, ...]


class Book:
    """A desk's orders, requests, positions, balances, strategy states and counters.

    The acting desk calls `record` at the moment it decides: the book moves at once (so the next risk check
    sees the reservation), and the desk then appends the facts with the rows. External effects wait until the
    append is durable; if it fails, throw the book away and fold again. A standby follows with `apply_fact`.
    No I/O, no clock. Memory is O(open orders). Not thread-safe: one event loop.
    """

    def __init__(self, desk: str, *, account: str, timeline: str) -> None:
        self._desk = Desk(state=State(desk=desk, account=account, timeline=timeline), shelf=Shelf())
        self._snapshot_seq = 0
        self.snapshot_every_facts = SNAPSHOT_EVERY_FACTS

    @classmethod
    def from_snapshot(cls, value: bytes) -> Book:
        """Return the book that a `snapshot` row holds; then apply the facts with a higher seq than `seq`.

        Raises:
            SnapshotDamaged: it does not read back as it was written; fold every fact instead.
        """
        state = _state_of(value)
        book = cls(state.desk, account=state.account, timeline=state.timeline)
        for order in state.orders:
            book._desk.shelf.put(order)
        book._desk.shelf.linger(state.lingering)
        state.strategy_states = {name: raw.copy() for name, raw in state.strategy_states.items()}
        state.orders, state.lingering = [], []
        book._desk.state = state
        book._snapshot_seq = state.seq
        return book

    def to_snapshot(self) -> bytes:
        """Return the whole book as JSON that ends with its own checksum."""
        shelf = self._desk.shelf
        state = msgspec.structs.replace(self._desk.state, orders=list(shelf), lingering=shelf.finished())
        return _sealed(msgspec.json.encode(state))

    def on_timeline(self, timeline: str) -> None:
        """New intents belong to this timeline (a restore mints a new one)."""
        self._desk.state.timeline = timeline

    # -- changes

    def record(self, facts: Sequence[Body], at_ns: int, *, with_rows: bool = True) -> Recorded:
        """Apply the facts in order, now, and return them ready to append, with their rows.

        Args:
            at_ns: the desk's wall clock (UTC); stamped into facts that carry no time of their own.
            with_rows: False leaves the rows to `take_puts`, once for all facts of one append.

        Raises:
            Broken: a fact contradicts what the book knows; nothing of this call may be appended, fold again.
        """
        stamped = [body if body.at_ns else msgspec.structs.replace(body, at_ns=at_ns) for body in facts]
        for body in stamped:
            self._apply(body, body.at_ns)
        stream = f"desk/{self.desk}"
        new = tuple(NewFact(stream=stream, kind=KIND_OF[type(body)], body=body) for body in stamped)
        return Recorded(facts=new, puts=self.take_puts() if with_rows else ())

    def take_puts(self) -> tuple[Put, ...]:
        """Return the rows of everything touched since they were last taken, and from time to time a snapshot."""
        return tuple(self._take_rows())

    def apply_fact(self, fact: Fact, body: Body | None = None) -> None:
        """Apply one fact of the desk's stream as read from the journal; one already applied is skipped.

        Args:
            body: the fact's, if the caller has decoded it already.

        Raises:
            StreamGap: facts before it are missing.
        """
        if fact.seq <= self.seq:
            return
        if fact.seq != self.seq + 1:
            raise StreamGap(
                f"stream {fact.stream}: expected seq {self.seq + 1}, was {fact.seq}",
                expected=self.seq + 1,
                was=fact.seq,
            )
        self.apply(fact.kind, fact.body if body is None else body, fact.at_ns)
        self._forget_touched()

    def apply(self, kind: str, body: bytes | Body, at_ns: int) -> None:
        """Apply one fact. A kind this release does not know only counts.

        Raises:
            JournalCorrupt: the body is not one of its kind.
        """
        if isinstance(body, Body):
            self._apply(body, body.at_ns or at_ns)
            return
        known = KINDS.get(kind)
        if known is None:
            self._desk.state.seq += 1
            return
        try:
            decoded = msgspec.json.decode(body, type=known)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalCorrupt(
                f"fact {self.seq + 1} of stream desk/{self.desk} cannot be read as {kind} ({error}): stop every node, "
                "keep a copy of the journal, run `journal verify` to find the first broken link, then restore a backup",
                stream=f"desk/{self.desk}",
                seq=self.seq + 1,
            ) from error
        self._apply(decoded, decoded.at_ns or at_ns)

    def _apply(self, body: Body, at_ns: int) -> None:
        state = self._desk.state
        FOLDS[type(body)](self._desk, body, at_ns)
        state.request_pos = max(state.request_pos, getattr(body, "request_pos", 0))
        state.seq += 1
        state.at_ns = at_ns

    def take_rows(self) -> Iterator[Put]:
        """Yield the rows of everything touched since they were last taken."""
        yield from rows_touched(self._desk)
        self._forget_touched()

    def _take_rows(self) -> Iterator[Put]:
        yield from self.take_rows()
        every = max(self.snapshot_every_facts, 2 * len(self._desk.shelf))  # one of 10,000 orders takes 30 ms
        if self.seq - self._snapshot_seq >= every:
            yield self.snapshot_put()

    def snapshot_put(self) -> Put:
        """Return the row that lets a start-up begin here."""
        self._snapshot_seq = self.seq
        return Put(SNAPSHOT, self.desk, msgspec.Raw(self.to_snapshot()))

    def _forget_touched(self) -> None:
        self._desk.orders.clear()
        self._desk.ids.clear()
        self._desk.trades.clear()
        self._desk.symbols.clear()

    # -- questions

    @property
    def desk(self) -> str:
        return self._desk.state.desk

    @property
    def account(self) -> str:
        return self._desk.state.account

    @property
    def timeline(self) -> str:
        return self._desk.state.timeline

    @property
    def seq(self) -> int:
        """Return the seq of the last fact applied to the desk's stream."""
        return self._desk.state.seq

    @property
    def mode(self) -> str:
        """Return the mode by which orders are judged: normal, reduce_only, halted, draining, unarmed or killed."""
        return self._desk.state.mode_in_force

    @property
    def is_halted(self) -> bool:
        """Return whether the desk was halted, whatever stands above that: the latch, a permit that is missing."""
        return self._desk.state.mode == "halted"

    @property
    def is_killed(self) -> bool:
        """Return whether the kill switch's latch is on."""
        return bool(self._desk.state.killed)

    @property
    def kill_is_verified(self) -> bool:
        """Return whether it was verified that nothing is open since the latch went on."""
        return self._desk.state.kill_verified

    @property
    def request_pos(self) -> int:
        """Return the place in the journal of the last operator's request that was answered."""
        return self._desk.state.request_pos

    @property
    def mode_reason(self) -> str:
        """Return who set that mode and why."""
        return self._desk.state.reason_in_force

    @property
    def permit(self) -> Permit:
        """Return whether a named person lets orders leave."""
        return self._desk.state.permit

    @property
    def key_doubt(self) -> str:
        """Return why the account's key is not known to be safe, "" when it is, or when nobody can tell."""
        return self._desk.state.key_doubt

    @property
    def mode_before_refusal(self) -> str:
        """Return the mode that the desk left because the venue refuses its key, "" when a person has decided since."""
        return self._desk.state.mode_before_refusal

    @property
    def key_is_refused(self) -> bool:
        """Return whether the venue refused the key to questions, and has not answered one since."""
        return self._desk.state.key_is_refused

    @property
    def day_loss(self) -> DayLoss:
        """Return what the day's loss counts from."""
        return self._desk.state.day_loss

    def times_blamed(self, strategy: str) -> int:
        """Return in how many nodes it was at work when they hung or crashed, since a human last said "normal"."""
        return self._desk.state.blamed.get(strategy, 0)

    def disabled(self, strategy: str) -> Disabled | None:
        """Return why it stays out because nothing helped, None when it may trade."""
        return self._desk.state.disabled.get(strategy)

    @property
    def is_opened(self) -> bool:
        """Return whether the account's opening balances are known."""
        return self._desk.state.opened

    @property
    def reconciled(self) -> Reconciled | None:
        return self._desk.state.reconciled

    def knows(self, symbol: str) -> bool:
        """Return whether anything of this symbol happened to the desk: a trade, an order, a block."""
        state = self._desk.state
        traded = symbol in state.positions or symbol in state.cursors or symbol in state.blocked
        return traded or any(order.symbol == symbol for order in self._desk.shelf)

    @property
    def blocked(self) -> dict[str, str]:
        """Return the symbols without new entries and why: blocked by a fact, or by a quarantined order."""
        return self._desk.blocked()

    def order(self, cl_ord_id: str) -> Order | None:
        """Return the order that has, had or was asked to take this id, if it is held."""
        return self._desk.shelf.get(cl_ord_id)

    def find_order(self, *, symbol: str, cl_ord_id: str, venue_order_id: str) -> Order | None:
        """Return the held order a report speaks of: by our id, and only if it names none, by the venue's."""
        return self._desk.shelf.find(symbol=symbol, cl_ord_id=cl_ord_id, venue_order_id=venue_order_id)

    def orders(self) -> list[Order]:
        """Return every order held: the unfinished, and the few that finished last."""
        return list(self._desk.shelf)

    def open_orders(self) -> list[Order]:
        """Return every order not proved closed, in doubt or not, foreign ones included."""
        return self._desk.shelf.open()

    @property
    def open_order_count(self) -> int:
        return self._desk.shelf.open_count

    def unfinished_orders(self) -> list[Order]:
        """Return every order that something is still to come for: open, with a hole, or a request undecided."""
        return [order for order in self._desk.shelf if not order.is_finished]

    def unknown_orders(self) -> list[Order]:
        """Return the orders to be asked for: UNKNOWN and QUARANTINED."""
        return self._desk.shelf.lacking()

    def quarantined_orders(self) -> list[Order]:
        return self._desk.shelf.quarantined()

    def holes(self) -> list[Order]:
        """Return the orders of which the venue counts more filled than we have trades; see `hole_qty`, `hole_ns`."""
        return self._desk.shelf.holes()

    def live_order(self, intent_id: str) -> Order | None:
        """Return the one order of the intent that is not closed (invariant I1)."""
        return self._desk.shelf.live_of_intent(intent_id)

    def replacements(self) -> Mapping[str, Replacement]:
        """Return what is to take the place of which order, by the order's id."""
        return self._desk.state.replacements

    def intent_count(self, strategy: str) -> int:
        """Return the number of the strategy's last intent."""
        return self._desk.state.intents.get(strategy, 0)

    def next_intent_id(self, strategy: str, *, ahead: int = 0) -> str:
        """Return the id of the strategy's next intent, the same until one is recorded; or of one `ahead` of it."""
        number = self.intent_count(strategy) + 1 + ahead
        return f"{strategy}.{self.timeline[:8]}.{number}"

    def strategy_state(self, strategy: str) -> bytes | None:
        """Return the strategy's state as last saved, as JSON."""
        raw = self._desk.state.strategy_states.get(strategy)
        return None if raw is None else bytes(raw)

    def position(self, symbol: str) -> Position:
        """Return the position; flat when nothing traded."""
        return self._desk.state.position(symbol)

    def positions(self) -> list[Position]:
        return list(self._desk.state.positions.values())

    def balances(self) -> dict[str, Decimal]:
        """Return the total of each asset: opening + trades - fees."""
        return dict(self._desk.state.balances)

    @property
    def unexplained(self) -> dict[str, Decimal]:
        """Return, by asset, what the venue held beyond these balances by two looks that agreed."""
        return self._desk.state.unexplained

    @property
    def unexplained_seq(self) -> int:
        """Return the place in the desk's stream since which it is; 0 when nothing is unexplained."""
        return self._desk.state.unexplained_seq

    def exposure(self, symbol: str) -> Exposure:
        """Return the position and what open orders may yet add on either side."""
        shelf = self._desk.shelf
        return Exposure(
            position_qty=self.position(symbol).qty,
            buy_qty=shelf.reserved(symbol, Side.BUY),
            sell_qty=shelf.reserved(symbol, Side.SELL),
        )

    def intended_within(self, now_ns: int, span_ns: int) -> int:
        """Return how many orders were intended within the span (at most a second) around this wall time."""
        return sum(abs(now_ns - at_ns) < span_ns for at_ns in self._desk.state.intended_ns)

    def trade_cursor(self, symbol: str) -> str | None:
        """Return the id up to which every trade is booked, for the next poll."""
        return self._desk.state.cursors.get(symbol)

    def trade_cursor_ns(self, symbol: str) -> int | None:
        """Return a venue time before every trade beyond the cursor, for a venue that pages by time; None: unknown."""
        at_ns = self._desk.state.cursors_ns.get(symbol) or self._desk.state.opened_ns
        return at_ns - CURSOR_MARGIN_NS if at_ns else None

    def trade_key(self, trade: TradeReport) -> str:
        """Return the key the trade is booked by, which is also that of its row."""
        return self._desk.state.trade_key(trade.symbol, trade.trade_id)

    def known_trade(self, trade: TradeReport) -> KnownTrade | None:
        """Return what is remembered of the trade with this key."""
        return self._desk.state.trades.get(self.trade_key(trade))

    def has_ownerless_trade(self, symbol: str, *, since_seq: int, most_qty: Decimal) -> bool:
        """Return whether a trade of at most this quantity was booked since then and belongs to no order we know.

        What was forgotten may have been such a trade. Snapshots of older releases name no place of orders and trades
        (0): such a trade speaks for such an order. Cost: a walk over the remembered trades.
        """
        if self._desk.state.ownerless_forgotten_seq and self._desk.state.ownerless_forgotten_seq >= since_seq:
            return True
        of_symbol = self._desk.state.trade_key(symbol, "")
        return any(
            not known.owned and not known.busted and known.seq >= since_seq and known.qty <= most_qty
            for key, known in self._desk.state.trades.items()
            if key.startswith(of_symbol)
        )

    def is_booked(self, trade: TradeReport) -> bool | None:
        """Return whether the trade is booked; None when it is so old that only its row can tell."""
        if self.known_trade(trade) is not None:
            return True
        return None if trade.at_ns <= self._desk.state.forgotten_ns else False

    def is_in_opening(self, trade: TradeReport) -> bool:
        """Return whether the balances that sums start with hold the trade already."""
        return trade.at_ns <= self._desk.state.opening_ns.get(trade.symbol, 0)


def _sealed(state: bytes) -> bytes:
    """Return the JSON object with a last member that releases without checksums read over."""
    return state[:-1] + _SEAL + blake2b(state, digest_size=16).hexdigest().encode() + b'"}'


def _state_of(value: bytes) -> State:
    kept, seal, _ = value.rpartition(_SEAL)
    if seal and value != _sealed(kept + b"}"):
        raise SnapshotDamaged("expected a snapshot with the checksum it was written with, was another")
    try:
        return msgspec.json.decode(value, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"expected a snapshot, was {error}") from error


def rebuild(desk: str, *, account: str, timeline: str, facts: Iterable[Fact]) -> Iterator[Put]:
    """Yield every projection row of the desk from its facts alone, oldest first; the last for a key holds.

    Args:
        facts: the whole stream of the desk, ascending.
    """
    book = Book(desk, account=account, timeline=timeline)
    for fact in facts:
        book.apply(fact.kind, fact.body, fact.at_ns)
        yield from book.take_rows()
    yield book.snapshot_put()
