"""The judge holds the venue's log against the journal, and says of each broken promise what kind it is."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from trading_orchestrator.drills.evidence import ENDS, Evidence, JournalFact
from trading_orchestrator.drills.judge import JUDGED, findings, unanswered
from trading_orchestrator.practice_venue.facts import AnyFact, OrderTraded
from trading_orchestrator.trading.facts import KINDS

STREAM = "desk/practice"


def fact(kind: str, *, epoch: int = 1, **body: Any) -> JournalFact:
    return JournalFact(pos=1, at_ns=1, node="a", epoch=epoch, stream=STREAM, kind=kind, body=body)


def intended(name: str, *, intent: str | None = None, generation: int = 0) -> JournalFact:
    order = {"cl_ord_id": name}
    return fact("order.intended", intent_id=intent or f"of {name}", generation=generation, order=order)


def accepted(name: str) -> JournalFact:
    return fact("order.accepted", report={"cl_ord_id": name})


def refused(name: str) -> JournalFact:
    return fact("order.refused", cl_ord_id=name, venue_code="-2010", text="no")


def abandoned(name: str) -> JournalFact:
    return fact("order.abandoned", cl_ord_id=name, proof=[])


def ended(name: str) -> JournalFact:
    return fact("order.ended", report={"cl_ord_id": name})


def reopened(name: str) -> JournalFact:
    return fact("order.reopened", cl_ord_id=name, report={"cl_ord_id": name})


def booked(trade_id: str, name: str = "x") -> JournalFact:
    trade = {"trade_id": trade_id, "side": "BUY", "last_qty": "2"}
    return fact("trade.booked", cl_ord_id=name, trade=trade)


def order_at_venue(name: str) -> dict[str, Any]:
    return {"kind": "order.accepted", "client_order_id": name}


def trade_at_venue(trade_id: str, name: str = "x", *, status: str = "PARTIALLY_FILLED") -> dict[str, Any]:
    facts = {"client_order_id": name, "order_status": status}
    return {"kind": "order.traded", "trade_id": trade_id, "side": "BUY", "qty": "2"} | facts


def end_at_venue(name: str, how: str = "canceled") -> dict[str, Any]:
    return {"kind": f"order.{how}", "client_order_id": name}


HEALTHY = ([order_at_venue("x"), trade_at_venue("7")], [intended("x"), accepted("x"), booked("7")])


@pytest.mark.parametrize(
    ("venue", "journal", "expected"),
    [
        (*HEALTHY, []),
        ([order_at_venue("x")] * 2, [intended("x"), accepted("x")], [("doubled", "order x was accepted 2 times")]),
        (
            [order_at_venue("x"), order_at_venue("y")],
            [intended("x", intent="buy"), intended("y", intent="buy")],
            [
                ("doubled", "generation 0 of intent buy of desk/practice has 2 order ids"),
                ("doubled", "intent buy of desk/practice has 2 orders at the venue"),
            ],
        ),
        (
            [order_at_venue("x"), order_at_venue("y")],
            [intended("x", intent="buy"), intended("y", intent="buy", generation=1)],
            [("doubled", "intent buy of desk/practice has 2 orders at the venue")],
        ),
        (
            [order_at_venue("x")],
            [intended("x"), refused("x")],
            [("lost", "order x was accepted at the venue and is refused in the journal")],
        ),
        (
            [order_at_venue("x")],
            [intended("x"), abandoned("x")],
            [("lost", "order x was accepted at the venue and is abandoned in the journal")],
        ),
        (
            [order_at_venue("x"), end_at_venue("x")],
            [intended("x"), abandoned("x"), accepted("x"), ended("x")],
            [("lost", "order x was accepted at the venue and is abandoned in the journal")],
        ),
        (
            [order_at_venue("x")],
            [intended("x"), accepted("x"), ended("x")],
            [("lost", "order x is open at the venue and ended in the journal")],
        ),
        (
            [order_at_venue("x"), trade_at_venue("7")],
            [intended("x"), accepted("x"), booked("7"), ended("x"), reopened("x"), ended("x")],
            [("lost", "order x is open at the venue and ended in the journal")],
        ),
        ([order_at_venue("x")], [], [("lost", "order x is at the venue and not in the journal")]),
        (
            [],
            [intended("x"), accepted("x")],
            [("lost", "order x is accepted in the journal and the venue never had it")],
        ),
        (
            [order_at_venue("x"), trade_at_venue("7")],
            [intended("x"), booked("7"), booked("7")],
            [("doubled", "trade 7 was booked 2 times"), ("untrue", "position: expected 2 as at the venue, was 4")],
        ),
        (
            [order_at_venue("x"), trade_at_venue("7")],
            [intended("x")],
            [("lost", "trade 7 was never booked"), ("untrue", "position: expected 2 as at the venue, was 0")],
        ),
        (
            [order_at_venue("x")],
            [intended("x"), booked("7")],
            [
                ("untrue", "trade 7 was booked and does not exist"),
                ("untrue", "position: expected 0 as at the venue, was 2"),
            ],
        ),
    ],
)
def test_each_broken_promise_is_of_its_kind(
    venue: list[dict[str, Any]], journal: list[JournalFact], expected: list[tuple[str, str]]
) -> None:
    found = findings(Evidence(venue, journal))

    assert expected == [(finding.kind, finding.sentence) for finding in found]


@pytest.mark.parametrize(
    ("venue", "journal"),
    [
        ([order_at_venue("x"), end_at_venue("x")], [intended("x"), accepted("x"), ended("x")]),
        ([order_at_venue("x"), end_at_venue("x", "expired")], [intended("x"), accepted("x"), ended("x")]),
        (
            [order_at_venue("x"), trade_at_venue("7", status="FILLED")],
            [intended("x"), accepted("x"), booked("7"), ended("x")],
        ),
        ([order_at_venue("x")], [intended("x"), accepted("x"), ended("x"), reopened("x")]),
        ([order_at_venue("h") | {"external": True}], []),
        ([], [intended("x"), refused("x")]),
        ([], [intended("x"), abandoned("x")]),
        ([order_at_venue("y")], [intended("x"), abandoned("x"), intended("y"), accepted("y")]),
    ],
)
def test_what_is_told_as_it_was_is_no_broken_promise(venue: list[dict[str, Any]], journal: list[JournalFact]) -> None:
    assert [] == findings(Evidence(venue, journal))


def test_the_kinds_that_are_judged_are_read_with_their_bodies() -> None:
    """A body that was not read is empty, and what it says could not be held against anything."""
    kinds = {"order.intended", "order.accepted", "order.refused", "order.abandoned", "order.ended", "order.reopened"}

    assert kinds | {"trade.booked"} == set(JUDGED)
    assert set(JUDGED) <= KINDS.keys()


def test_the_kinds_of_the_venues_log_are_those_that_the_venue_writes() -> None:
    kinds = {each.__struct_config__.tag for each in get_args(AnyFact)}

    assert {"order.accepted", "order.traded", *ENDS} <= kinds
    assert {"order_status", "client_order_id", "trade_id", "side", "qty"} <= set(OrderTraded.__struct_fields__)


def test_an_order_of_an_older_epoch_after_a_newer_one_is_untrue() -> None:
    journal = [fact("strategy.saved", epoch=2), fact("strategy.saved", epoch=1)]

    (found,) = findings(Evidence([], journal))

    assert ("untrue", "fact 1 of desk/practice has epoch 1 after 2") == (found.kind, found.sentence)


def test_an_intent_without_an_answer_is_lost_until_evidence_comes() -> None:
    doubted = [intended("x"), fact("order.doubted", cl_ord_id="x", reason="no answer")]

    answers = [
        accepted("x"),
        booked("7"),
        refused("x"),
        abandoned("x"),
        ended("x"),
    ]

    assert ["order x has no answer in the journal"] == [
        finding.sentence for finding in unanswered(Evidence([], doubted))
    ]
    assert [[]] * len(answers) == [unanswered(Evidence([], [*doubted, answer])) for answer in answers]
