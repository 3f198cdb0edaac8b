"""Evidence becomes the facts it adds: repetition adds none, contradiction is told, nothing is guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.trading_core.desk_scene import SYMBOL, Scene
from trading_orchestrator.brokers.port import (
    CancelRefused,
    DuplicateOrder,
    NewOrder,
    NoAnswer,
    OrderRefused,
    Side,
    VenueStatus,
)
from trading_orchestrator.errors import Transient
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.fold_orders import IntentTaken
from trading_orchestrator.trading.orders import amends, answers, evidence
from trading_orchestrator.trading.orders.client_id import cl_ord_id, request_id
from trading_orchestrator.trading.orders.finding import VENUE, Ask
from trading_orchestrator.trading.orders.life import At


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        ("order.refused", OrderRefused("no", venue_code="-2010", text="no funds")),
        ("order.refused", Transient("rate limit: nothing was sent")),
        ("order.doubted", NoAnswer("time-out")),
        ("order.doubted", DuplicateOrder("exists")),
        ("order.doubted", ValueError("a body nobody can read")),
        ("order.doubted", KeyboardInterrupt()),
    ],
)
def test_only_a_definite_no_refuses_and_all_else_is_doubt(expected: str, error: BaseException) -> None:
    scene = Scene()
    cl = scene.send()
    scene.journal.hear(lambda book, known: answers.of_submit_failure(book, cl, error))

    assert expected == scene.kinds()[-1]


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        (OrderRefused("no", venue_code="-2010", text="no funds", raw_hash="ab12"), ("answer", "ab12", "-2010")),
        (Transient("rate limit", venue_code="-1003", text="slow down", raw_hash="cd34"), ("answer", "cd34", "-1003")),
        (Transient("names do not resolve: nothing was sent"), ("desk", "", "transient")),
    ],
)
def test_a_refusal_says_whose_word_it_is_and_of_which_answer(error: Exception, quoted: tuple[str, str, str]) -> None:
    """W3: evidence with its source and the hash of the raw answer."""
    scene = Scene()
    cl = scene.send()
    refused = scene.journal.hear(lambda book, known: answers.of_submit_failure(book, cl, error)).facts[0]

    assert isinstance(refused, f.OrderRefused)
    assert quoted == (refused.source, refused.raw_hash, refused.venue_code)


def test_a_refused_cancel_says_so_too() -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.report(cl, VenueStatus.NEW))
    asked = request_id(cl, 1)
    scene.journal.record(f.CancelIntended(cl_ord_id=cl, request_id=asked))
    error = CancelRefused("no", venue_code="-2011", text="Unknown order sent.", raw_hash="ef56")
    refused = scene.journal.hear(lambda book, known: answers.of_cancel_failure(book, cl, asked, error)).facts[0]

    assert isinstance(refused, f.CancelRefused)
    assert ("answer", "ef56") == (refused.source, refused.raw_hash)


def test_a_failed_answer_adds_nothing_once_the_stream_has_told() -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.report(cl, VenueStatus.NEW))

    assert () == answers.of_submit_failure(scene.journal.book, cl, NoAnswer("time-out")).facts


def test_doubt_reserves_the_whole_order_until_proof() -> None:
    scene = Scene()
    cl = scene.send()
    for then in (
        lambda book, known: answers.of_submit_failure(book, cl, NoAnswer("time-out")),
        lambda book, known: answers.of_budget_spent(book, cl, "5 min"),
    ):
        scene.journal.hear(then)
        assert Decimal(10) == scene.journal.book.exposure(SYMBOL).buy_qty
    assert {SYMBOL: "order.quarantined"} == scene.journal.book.blocked

    scene.journal.hear(lambda book, known: answers.of_absence_proof(book, cl, ["asked"]))
    assert At.ABANDONED is scene.order(cl).status
    assert Decimal(0) == scene.journal.book.exposure(SYMBOL).buy_qty
    assert {} == scene.journal.book.blocked


def test_the_same_trade_with_another_price_is_told_once_and_overwrites_nothing() -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.trade(cl, "t1", "4"))
    other = scene.trade(cl, "t1", "4", last_px=Decimal(11))
    scene.hear(other)
    scene.hear(other)

    assert 1 == scene.kinds().count("trade.conflicted")
    assert Decimal(-40) == scene.journal.book.position(SYMBOL).cash_flow


def test_a_report_ahead_of_the_trades_is_a_hole_and_reserves_what_is_missing() -> None:
    scene = Scene()
    cl = scene.send()
    finding = scene.hear(scene.report(cl, VenueStatus.CANCELED, cum_qty=Decimal(6)))

    assert finding.hole is not None
    assert Decimal(6) == finding.hole.missing_qty
    assert (At.CANCELED, Decimal(0), False) == (
        scene.order(cl).status,
        scene.order(cl).cum_qty,
        scene.order(cl).is_finished,
    )
    assert Decimal(6) == scene.journal.book.exposure(SYMBOL).buy_qty
    scene.hear(scene.trade(cl, "t1", "6"))
    assert [] == scene.journal.book.holes()
    assert "order.flagged" not in scene.kinds(), "an announced fill is not late"


def test_a_synthetic_fill_is_made_once_and_real_trades_take_its_place() -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.report(cl, VenueStatus.PARTIALLY_FILLED, cum_qty=Decimal(6)))
    for _ in range(2):
        scene.journal.hear(lambda book, known: amends.of_hole_past_grace(book, cl, px=Decimal(9), at_ns=1))
    assert 1 == scene.kinds().count("trade.inferred")
    assert Decimal(-54) == scene.journal.book.position(SYMBOL).cash_flow

    scene.hear(scene.trade(cl, "t1", "2"))
    scene.hear(scene.trade(cl, "t2", "4"))
    assert (Decimal(6), Decimal(10)) == (scene.order(cl).cum_qty, scene.order(cl).avg_px)
    assert Decimal(-60) == scene.journal.book.position(SYMBOL).cash_flow
    assert not [key for key in scene.journal.rows if key[0] == "trades" and "hole-" in key[1]]


def test_a_nameless_trade_waits_for_an_order_in_doubt_that_may_own_it() -> None:
    scene = Scene()
    cl = scene.send()
    trade = scene.trade(cl, "t1", "4", cl_ord_id="")
    known = {Ask("orders", f"{SYMBOL}#V-{cl}"): None, Ask("order_ids", f"case/{SYMBOL}#V-{cl}"): None}

    assert (Ask(VENUE, cl),) == evidence.of_trade(scene.journal.book, trade, source="poll", known=known).asks

    def venue_knows(asked: str) -> None:
        scene.hear(scene.report(asked, VenueStatus.NEW))

    scene.journal.ask_venue = venue_knows
    scene.hear(trade)
    assert Decimal(4) == scene.order(cl).cum_qty


def test_a_trade_without_its_order_is_booked_told_and_later_attributed() -> None:
    scene = Scene()
    trade = scene.trade("", "t1", "4", venue_order_id="V9")
    scene.hear(trade)
    assert Decimal(4) == scene.journal.book.position(SYMBOL).qty
    assert "order.flagged" == scene.kinds()[-1]

    scene.hear(scene.report("human", VenueStatus.PARTIALLY_FILLED, venue_order_id="V9", cum_qty=Decimal(4)))
    scene.hear(trade)
    assert Decimal(4) == scene.order("human").cum_qty
    assert Decimal(4) == scene.journal.book.position(SYMBOL).qty
    assert [] == scene.journal.book.holes()


def test_of_two_replaces_the_later_terms_hold_whichever_answer_comes_first() -> None:
    scene = Scene()
    cl = scene.send()
    made = [request_id(cl, 1), request_id(cl, 2)]
    for each, qty in zip(made, (8, 6), strict=True):
        scene.journal.record(f.ReplaceIntended(cl_ord_id=cl, request_id=each, order_qty=Decimal(qty), px=None))
    first = scene.report(made[0], VenueStatus.NEW, order_qty=Decimal(8))
    second = scene.report(made[1], VenueStatus.NEW, order_qty=Decimal(6))
    scene.hear(second)
    scene.hear(first)

    assert Decimal(6) == scene.order(cl).order_qty
    assert Decimal(6) == scene.journal.book.exposure(SYMBOL).buy_qty


def test_a_replace_on_its_way_reserves_the_larger_quantity() -> None:
    scene = Scene()
    cl = scene.send()
    scene.journal.record(f.ReplaceIntended(cl_ord_id=cl, request_id=request_id(cl, 1), order_qty=Decimal(15), px=None))
    assert Decimal(15) == scene.journal.book.exposure(SYMBOL).buy_qty

    refused = OrderRefused("no", venue_code="", text="too late")
    scene.journal.hear(lambda book, known: answers.of_replace_failure(book, cl, request_id(cl, 1), refused))
    assert Decimal(10) == scene.journal.book.exposure(SYMBOL).buy_qty


def test_an_order_with_our_prefix_that_the_journal_lacks_is_adopted() -> None:
    scene = Scene()
    lost = cl_ord_id("case", "line", "an intent after the backup", 0)
    scene.hear(scene.report(lost, VenueStatus.NEW))

    assert ["order.adopted", "order.flagged"] == scene.kinds()
    assert not scene.order(lost).foreign


def test_a_humans_order_counts_as_exposure_and_is_not_ours() -> None:
    scene = Scene()
    scene.hear(scene.report("", VenueStatus.NEW, venue_order_id="V9", side=Side.SELL))
    foreign = scene.journal.book.find_order(symbol=SYMBOL, cl_ord_id="", venue_order_id="V9")

    assert foreign is not None
    assert foreign.foreign
    assert Decimal(10) == scene.journal.book.exposure(SYMBOL).sell_qty


def test_an_intent_has_at_most_one_live_order() -> None:
    scene = Scene()
    cl = scene.send()
    again = f.OrderIntended(
        intent_id=scene.order(cl).intent_id,
        generation=1,
        strategy="s",
        order=_renamed(scene, cl),
        reserved_notional=Decimal(0),
    )
    with pytest.raises(IntentTaken):
        scene.journal.book.record([again], 1)


def test_after_the_proof_the_same_intent_may_try_again_with_the_next_generation() -> None:
    scene = Scene()
    cl = scene.send()
    scene.journal.hear(lambda book, known: answers.of_absence_proof(book, cl, ["asked"]))
    intent_id = scene.order(cl).intent_id
    following = scene.journal.book.next_intent_id("s")
    scene.journal.record(
        f.OrderIntended(
            intent_id=intent_id,
            generation=1,
            strategy="s",
            order=_renamed(scene, cl),
            reserved_notional=Decimal(0),
        )
    )

    live = scene.journal.book.live_order(intent_id)
    assert live is not None
    assert 1 == live.generation
    assert following == scene.journal.book.next_intent_id("s")


def _renamed(scene: Scene, cl: str) -> NewOrder:
    order = scene.order(cl)
    return NewOrder(
        cl_ord_id=cl_ord_id("case", "line", order.intent_id, 1),
        symbol=SYMBOL,
        side=order.side,
        ord_type=order.ord_type,
        order_qty=order.order_qty,
        px=order.px,
    )


def test_a_restart_doubts_every_send_without_an_answer_and_nothing_else() -> None:
    scene = Scene()
    silent, known_live = scene.send(), scene.send()
    scene.hear(scene.report(known_live, VenueStatus.NEW))
    scene.journal.record(f.CancelIntended(cl_ord_id=known_live, request_id=request_id(known_live, 1)))
    scene.journal.crash()

    assert ["order.doubted", "cancel.doubted"] == scene.kinds()[-2:]
    assert (At.UNKNOWN, At.NEW) == (scene.order(silent).status, scene.order(known_live).status)
    before = scene.kinds()
    scene.journal.crash()
    assert before == scene.kinds()
