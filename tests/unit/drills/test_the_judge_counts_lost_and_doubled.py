"""The judge holds the venue's log against the journal, and says of each broken promise what kind it is."""

from __future__ import annotations

from typing import Any

import pytest

from trading_orchestrator.drills.evidence import Evidence, JournalFact
from trading_orchestrator.drills.judge import findings, unanswered

STREAM = "desk/practice"


def fact(kind: str, *, epoch: int = 1, **body: Any) -> JournalFact:
    return JournalFact(pos=1, at_ns=1, node="a", epoch=epoch, stream=STREAM, kind=kind, body=body)


def intended(name: str, *, intent: str | None = None) -> JournalFact:
    return fact("order.intended", intent_id=intent or f"of {name}", generation=0, order={"cl_ord_id": name})


def accepted(name: str) -> JournalFact:
    return fact("order.accepted", report={"cl_ord_id": name})


def booked(trade_id: str, name: str = "x") -> JournalFact:
    trade = {"trade_id": trade_id, "side": "BUY", "last_qty": "2"}
    return fact("trade.booked", cl_ord_id=name, trade=trade)


def order_at_venue(name: str) -> dict[str, Any]:
    return {"kind": "order.accepted", "client_order_id": name}


def trade_at_venue(trade_id: str) -> dict[str, Any]:
    return {"kind": "order.traded", "trade_id": trade_id, "side": "BUY", "qty": "2"}


HEALTHY = ([order_at_venue("x"), trade_at_venue("7")], [intended("x"), accepted("x"), booked("7")])


@pytest.mark.parametrize(
    ("venue", "journal", "expected"),
    [
        (*HEALTHY, []),
        ([order_at_venue("x")] * 2, [intended("x"), accepted("x")], [("doubled", "order x was accepted 2 times")]),
        (
            [order_at_venue("x"), order_at_venue("y")],
            [intended("x", intent="buy"), intended("y", intent="buy")],
            [("doubled", "generation 0 of intent buy of desk/practice has 2 order ids")],
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


def test_an_order_of_an_older_epoch_after_a_newer_one_is_untrue() -> None:
    journal = [fact("strategy.saved", epoch=2), fact("strategy.saved", epoch=1)]

    (found,) = findings(Evidence([], journal))

    assert ("untrue", "fact 1 of desk/practice has epoch 1 after 2") == (found.kind, found.sentence)


def test_an_intent_without_an_answer_is_lost_until_evidence_comes() -> None:
    doubted = [intended("x"), fact("order.doubted", cl_ord_id="x", reason="no answer")]

    answers = [
        accepted("x"),
        booked("7"),
        fact("order.refused", cl_ord_id="x"),
        fact("order.abandoned", cl_ord_id="x"),
        fact("order.ended", report={"cl_ord_id": "x"}),
    ]

    assert ["order x has no answer in the journal"] == [
        finding.sentence for finding in unanswered(Evidence([], doubted))
    ]
    assert [[]] * len(answers) == [unanswered(Evidence([], [*doubted, answer])) for answer in answers]
