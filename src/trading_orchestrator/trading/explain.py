"""Explains one order from the journal: gathers its facts and what befell its desk, folds and tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from trading_orchestrator.kernel.money import plain
from trading_orchestrator.storage.ports import Fact, FactStore
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading import permit_facts as p
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.find_order import StoredOrder, find_order
from trading_orchestrator.trading.order_facts import decoded, life_of
from trading_orchestrator.trading.orders.stored import revived_order
from trading_orchestrator.trading.orders.story import OURS, Moment, details, sentence, source, standing

PAGE = 1_000
CLUSTER = "cluster"
CLUSTER_KINDS = ("lease.claimed", "lease.released", "lease.lost")


class Line(msgspec.Struct, frozen=True):
    """One fact of the story. `state`: the order's after it. `offset_ms`: since the first line."""

    pos: int
    at_ns: int
    offset_ms: float
    node: str
    epoch: int
    kind: str
    source: str
    state: str
    sentence: str
    details: tuple[str, ...] = ()


class Story(msgspec.Struct, frozen=True):
    """The whole story of one order, oldest line first, and where it stands."""

    cl_ord_id: str
    intent_id: str
    venue_order_id: str
    desk: str
    strategy: str
    symbol: str
    state: str
    standing: str
    lines: tuple[Line, ...]


class _LeaseMove(msgspec.Struct):
    lease: str
    epoch: int = 0
    succession: str = ""
    took_ms: float = 0.0


async def explain(store: FactStore, order_id: str) -> Story:
    """Return the story of the order that answers to `order_id`.

    Args:
        order_id: cl_ord_id, venue order id or intent id; an unambiguous beginning of one will do.

    Raises:
        NoSuchOrder, AmbiguousId: the sentence says what to give instead.
    """
    row = await find_order(store, order_id)
    stored, order = msgspec.json.decode(row.value, type=StoredOrder), revived_order(row.value)
    lease = f"desk/{stored.desk}"
    mine = [fact async for fact in life_of(order, store=store, stream=lease, row_pos=row.pos)]
    moves = await _moves(store, lease, mine, still_lives=not order.is_finished) if mine else []
    return tell(stored, [*mine, *moves])


async def _moves(store: FactStore, lease: str, mine: Sequence[Fact], *, still_lives: bool) -> list[Fact]:
    """Return what happened to the desk's lease while the order lived; a claim is told only once the desk acts."""
    epochs = {fact.epoch for fact in mine}
    found: list[Fact] = []
    after_pos = mine[0].pos
    while page := await store.read(stream=CLUSTER, after_pos=after_pos, limit=PAGE, kinds=CLUSTER_KINDS):
        for fact in page:
            move = msgspec.json.decode(fact.body, type=_LeaseMove)
            is_new = fact.kind != "lease.claimed" or move.epoch > mine[0].epoch
            is_within = (
                still_lives or fact.pos < mine[-1].pos or (fact.kind == "lease.claimed" and move.epoch in epochs)
            )
            if move.lease == lease and is_new and is_within:
                found.append(fact)
        after_pos = page[-1].pos
        if not still_lives and after_pos > mine[-1].pos:
            break
    return found


def tell(stored: StoredOrder, facts: Iterable[Fact]) -> Story:
    """Return the story that these facts tell; pure.

    Args:
        facts: of the order and around it, in any order, from its birth on.
    """
    told = _in_order(facts, f"desk/{stored.desk}")
    book = Book(stored.desk, account="", timeline="")
    began_ns = _at_ns(told[0]) if told else 0
    lines = tuple(_lines(book, stored, told, began_ns))
    order = book.order(stored.cl_ord_id)
    return Story(
        cl_ord_id=stored.cl_ord_id,
        intent_id=stored.intent_id,
        venue_order_id=stored.venue_order_id,
        desk=stored.desk,
        strategy=order.strategy if order is not None else "",
        symbol=order.symbol if order is not None else "",
        state=order.status.value if order is not None else "",
        standing=standing(order) if order is not None else "Its beginning is not in this journal.",
        lines=lines,
    )


def _in_order(facts: Iterable[Fact], stream: str) -> list[Fact]:
    """Sort by position, but a claim before what its holder did with it: its fact is written once the desk acts."""
    by_pos = sorted(facts, key=lambda fact: fact.pos)
    acted: dict[int, int] = {}
    for fact in by_pos:
        if fact.stream == stream:
            acted.setdefault(fact.epoch, fact.pos)

    def place(fact: Fact) -> tuple[int, int]:
        if fact.kind != "lease.claimed":
            return fact.pos, 1
        return min(fact.pos, acted.get(msgspec.json.decode(fact.body, type=_LeaseMove).epoch, fact.pos)), 0

    return sorted(by_pos, key=place)


def _lines(book: Book, stored: StoredOrder, told: Sequence[Fact], began_ns: int) -> Iterator[Line]:
    holder = ""
    for fact in told:
        before = book.order(stored.cl_ord_id)
        body = decoded(fact)
        if fact.stream == CLUSTER:
            said, who = _move_in_words(fact, holder), "cluster"
        elif fact.kind in _OF_DESK:
            said, who = _OF_DESK[fact.kind](body), OURS
        elif body is None:
            continue
        else:
            book.apply(fact.kind, body, fact.at_ns)
            said, who = sentence(body, Moment(before, book.order(stored.cl_ord_id))), source(body)
        after = book.order(stored.cl_ord_id)
        yield Line(
            pos=fact.pos,
            at_ns=_at_ns(fact),
            offset_ms=round((_at_ns(fact) - began_ns) / 1e6, 3),
            node=fact.node,
            epoch=_epoch(fact),
            kind=fact.kind,
            source=who,
            state=after.status.value if after is not None else "",
            sentence=said,
            details=details(body) if body is not None else (),
        )
        holder = fact.node


def _at_ns(fact: Fact) -> int:
    """Return when it happened: the desk's own stamp; for a claim, when it was made, not when the desk acted."""
    if fact.kind == "lease.claimed":
        return fact.at_ns - int(msgspec.json.decode(fact.body, type=_LeaseMove).took_ms * 1e6)
    body = decoded(fact)
    return body.at_ns or fact.at_ns if body is not None else fact.at_ns


def _epoch(fact: Fact) -> int:
    return msgspec.json.decode(fact.body, type=_LeaseMove).epoch if fact.stream == CLUSTER else fact.epoch


def _move_in_words(fact: Fact, holder: str) -> str:
    move = msgspec.json.decode(fact.body, type=_LeaseMove)
    if fact.kind != "lease.claimed":
        left = "gave the desk up" if fact.kind == "lease.released" else "lost the desk's lease and stopped acting"
        return f"node {fact.node} {left} (epoch {move.epoch})"
    took = f"node {fact.node} took over with epoch {move.epoch} and acted {move.took_ms:.0f} ms later"
    if holder == fact.node:
        return f"node {fact.node} took the desk again with epoch {move.epoch} and acted {move.took_ms:.0f} ms later"
    if move.succession == "proved_death":
        return f"node {holder} died; {took}"
    if move.succession == "expired":
        return f"the lease of node {holder} ran out; {took}"
    return f"node {holder} handed over; {took}" if move.succession == "handed_over" else took


def _reconciled(body: f.DeskReconciled) -> str:
    found = f"{body.orders_checked} orders checked, {body.trades_booked} trades booked, {body.unknown} unknown"
    return f"the desk compared itself with the venue after its start ({body.trigger.replace('_', ' ')}): {found}"


def _blocked(body: f.SymbolBlocked) -> str:
    return f"{body.symbol} blocked for new orders ({body.code}): {body.text}"


def _released(body: f.SymbolReleased) -> str:
    return f"{body.symbol} released by {body.by}: {body.reason}"


def _mode_changed(body: f.DeskModeChanged) -> str:
    return f"desk set to {body.mode} by {body.by}: {body.reason}"


def _found_behind(body: f.DeskFoundBehind) -> str:
    return f"the journal is behind the venue: {body.orders} orders of ours were found that it does not know"


def _numbers_skipped(body: f.DeskNumbersSkipped) -> str:
    return "whether the venue knows the next ids could not be told at a start, so numbers were left out"


def _key_refused(body: f.DeskKeyRefused) -> str:
    return f"the venue refuses the account's key ({body.venue_code}: {body.text}): nothing is sent while it does"


def _key_accepted(body: f.DeskKeyAccepted) -> str:
    return "the venue accepts the account's key again"


def _killed(body: f.DeskKilled) -> str:
    return f"kill switch on, by {body.by}: {body.reason}; no order leaves and everything of ours is canceled"


def _kill_verified(body: f.DeskKillVerified) -> str:
    return f"kill switch: {body.looks} looks at the venue in a row found nothing of ours open"


def _kill_lifted(body: f.DeskKillLifted) -> str:
    return f"kill switch lifted by {body.by}: {body.reason}"


def _armed(body: p.DeskArmed) -> str:
    money = "with real money" if body.live else "for practice"
    return f"desk armed {money} by {body.by}: {body.reason}"


def _disarmed(body: p.DeskDisarmed) -> str:
    return f"desk disarmed by {body.by}: {body.reason}; no order leaves"


def _key_doubted(body: p.KeyRightsDoubted) -> str:
    return f"no order for real money leaves: {body.reason}"


def _key_told(body: p.KeyRightsTold) -> str:
    return "the key of the account is not in doubt any more"


def _loss_reached(body: p.LossLimitReached) -> str:
    return f"the day's loss reached its limit ({plain(body.loss)} of {plain(body.limit)} {body.asset}): reduce only"


def _loss_lifted(body: p.LossLimitLifted) -> str:
    return f"the day's loss counts anew, by {body.by}: {body.reason}"


def _position_adjusted(body: p.PositionAdjusted) -> str:
    return f"position in {body.symbol} moved by {plain(body.qty)} at {plain(body.px)} by {body.by}: {body.reason}"


_OF_DESK: dict[str, Callable[..., str]] = {
    "desk.reconciled": _reconciled,
    "desk.armed": _armed,
    "desk.disarmed": _disarmed,
    "key_rights.doubted": _key_doubted,
    "key_rights.told": _key_told,
    "loss_limit.reached": _loss_reached,
    "loss_limit.lifted": _loss_lifted,
    "position.adjusted": _position_adjusted,
    "symbol.blocked": _blocked,
    "symbol.released": _released,
    "desk.mode_changed": _mode_changed,
    "desk.found_behind": _found_behind,
    "desk.numbers_skipped": _numbers_skipped,
    "desk.key_refused": _key_refused,
    "desk.key_accepted": _key_accepted,
    "desk.killed": _killed,
    "desk.kill_verified": _kill_verified,
    "desk.kill_lifted": _kill_lifted,
}
