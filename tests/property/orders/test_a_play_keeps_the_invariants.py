"""Whatever desk and venue do to each other, the book keeps the invariants of ORDER_PROTOCOL §10."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings

from tests.conformance.desk_journal import without_snapshot
from tests.property.orders.venue_play import DISHONEST, HONEST, LIMITS, SYMBOL, Move, Play, moves
from trading_orchestrator.brokers.port import Side
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.life import ORDER_LIFE

ANY = moves(*HONEST, *DISHONEST, "submit", "submit", "trade", "trade")
HONESTLY = moves(*HONEST, "submit", "submit", "trade", "trade")


def answers_of(book: Book) -> dict[str, object]:
    """Return what a desk can ask its book."""
    return {
        "exposure": book.exposure(SYMBOL),
        "positions": book.positions(),
        "balances": book.balances(),
        "open": book.open_orders(),
        "unknown": book.unknown_orders(),
        "holes": book.holes(),
        "blocked": book.blocked,
        "next": book.next_intent_id("s"),
        "recent": book.intended_within(book.orders()[-1].updated_ns if book.orders() else 0, 1_000_000_000),
        "seq": book.seq,
    }


def settled(play: Play) -> Play:
    """Let every trade that the venue has made be told."""
    for placed in play.placed:
        play.real(placed, 0)
    return play


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_position_and_cash_are_opening_plus_the_sum_of_trades(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)
    settled(play)

    trades = [trade for placed in play.placed for trade in placed.trades.values()]
    bought = sum((t.side.sign * t.last_qty for t in trades), Decimal(0))
    paid = sum((t.side.sign * t.last_qty * t.last_px for t in trades), Decimal(0))
    fees = {asset: sum((t.fee for t in trades if t.fee_asset == asset), Decimal(0)) for asset in ("BASE", "QUOTE")}
    balances = play.journal.book.balances()
    assert Decimal(100) + bought - fees["BASE"] == balances["BASE"]
    assert Decimal(1000) - paid - fees["QUOTE"] == balances["QUOTE"]
    assert bought - fees["BASE"] == play.journal.book.position(SYMBOL).qty


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_every_fill_is_on_its_order_and_no_hole_is_left(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)
    settled(play)

    for placed in play.placed:
        order = play.journal.book.order(placed.cl_ord_id)
        assert order is not None
        # By a venue id alone (F36), what an ended order cannot have made may be a nameless one's: it waits for it.
        nameless = any(not other.venue_order_id for other in play.journal.book.open_orders())
        least = min(placed.cum, order.order_qty) if nameless else placed.cum
        assert least <= order.cum_qty <= placed.cum
        assert order.hole_qty == 0


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_a_fold_of_the_facts_is_the_book_and_rebuilt_rows_are_the_rows(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)
    journal = play.journal

    folded = Book("case", account="case", timeline="line")
    for fact in journal.facts:
        folded.apply_fact(fact)
    assert journal.book.to_snapshot() == folded.to_snapshot()
    assert without_snapshot(journal.rows) == without_snapshot(journal.rebuilt_rows())


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_a_snapshot_anywhere_and_the_facts_after_it_give_the_same_book(said: list[Move]) -> None:
    play = Play()
    snapshots = []
    for move in said:
        play.move(move)
        snapshots.append(play.journal.book.to_snapshot())
        assert answers_of(play.journal.book) == answers_of(Book.from_snapshot(snapshots[-1]))

    for snapshot in snapshots[:: max(len(snapshots) // 4, 1)]:
        book = Book.from_snapshot(snapshot)
        for fact in play.journal.facts:
            book.apply_fact(fact)  # facts the snapshot holds are skipped
        assert play.journal.book.to_snapshot() == book.to_snapshot()
        assert answers_of(play.journal.book) == answers_of(book)


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_a_finished_order_stays_finished_and_its_sum_never_falls_unless_the_venue_takes_back(said: list[Move]) -> None:
    play = Play()
    for move in said:
        before = {order.cl_ord_id: order for order in play.journal.book.orders()}
        heard = play.journal.alerts()
        play.move(move)
        for order in play.journal.book.orders():
            was = before.get(order.cl_ord_id)
            if was is None or move[0] in ("bust", "correct"):
                continue
            assert was.cum_qty <= order.cum_qty
            assert was.venue_cum <= order.venue_cum
            if was.status in ORDER_LIFE.terminal and order.status not in ORDER_LIFE.terminal:
                assert play.journal.alerts() > heard, "back to life, and no operator heard"


@settings(max_examples=200, deadline=None)
@given(HONESTLY)
def test_exposure_with_all_that_is_in_doubt_stays_within_the_limit(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)
        fees = Decimal("0.01") * play.trade_count  # fees in the base asset are no order's doing
        assert play.journal.book.exposure(SYMBOL).worst_qty <= LIMITS.max_position_qty + fees


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_reserved_exposure_is_the_sum_over_all_orders_held(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)

    book = play.journal.book
    for side, reserved in ((Side.BUY, book.exposure(SYMBOL).buy_qty), (Side.SELL, book.exposure(SYMBOL).sell_qty)):
        assert sum((o.at_risk_qty for o in book.orders() if o.side is side), Decimal(0)) == reserved


@settings(max_examples=100, deadline=None)
@given(HONESTLY)
def test_an_order_open_at_the_venue_is_never_closed_here(said: list[Move]) -> None:
    play = Play()
    for move in said:
        play.move(move)
        for placed in play.placed:
            order = play.journal.book.order(placed.cl_ord_id)
            assert order is not None
            if placed.is_open and placed.cum < placed.qty:
                assert not order.is_closed, placed


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_hearing_nothing_new_records_nothing(said: list[Move]) -> None:
    play = Play()
    play.journal.doubled = True
    for move in said:
        play.move(move)
    plain = Play()
    for move in said:
        plain.move(move)

    assert [fact.kind for fact in plain.journal.facts] == [fact.kind for fact in play.journal.facts]
