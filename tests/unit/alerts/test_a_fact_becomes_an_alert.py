"""A rule about facts: which facts begin an alert, which end it, and that each counts once, restarts included."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.alerts.rule_bench import S, books
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.escalation.facts import Closed, Stepped
from trading_orchestrator.perpetual_operations.alerts.rules.fact_book import MARK_EVERY_FACTS, FactBook, FactsRead
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of

QUARANTINED: dict[str, Any] = {
    "kind": "fact", "name": "OrderQuarantined", "fact": "order.quarantined", "severity": "critical",
    "by": ["stream", "cl_ord_id"], "until": ["order.resolved"], "where": ['symbol=~"EUR.*"'],
    "summary": "{{ $labels.cl_ord_id }} of {{ $labels.symbol }} on {{ $labels.stream }}: {{ $labels.why_code }}",
}  # fmt: skip


def shown(book: FactBook, pos: int, kind: str, now_s: int = 0, **body: Any) -> list[Posted]:
    evaluation = book.see(stream="desk/a", kind=kind, body=msgspec.json.encode(body), pos=pos, now_ns=now_s * S)
    return list(evaluation.alerts)


def quarantined(book: FactBook, pos: int, order: str = "o1", now_s: int = 0) -> list[Posted]:
    return shown(book, pos, "order.quarantined", now_s, cl_ord_id=order, symbol="EURUSD", why={"code": "lost"})


def test_it_speaks_of_what_stands_in_the_fact() -> None:
    alert = quarantined(books(QUARANTINED).facts, 7)[0]

    expected = {"alertname": "OrderQuarantined", "severity": "critical", "stream": "desk/a", "cl_ord_id": "o1"}
    assert expected == dict(alert.labels)
    assert "o1 of EURUSD on desk/a: lost" == alert.annotations["summary"]


def test_other_facts_and_other_bodies_are_passed_over() -> None:
    book = books(QUARANTINED).facts

    assert [] == shown(book, 1, "order.filled", cl_ord_id="o1", symbol="EURUSD")
    assert [] == shown(book, 2, "order.quarantined", cl_ord_id="o1", symbol="USDJPY")
    assert 0 == book.pos


def test_its_end_is_the_fact_that_speaks_of_the_same() -> None:
    book = books(QUARANTINED).facts
    quarantined(book, 1, "o1")
    quarantined(book, 2, "o2")

    ended = shown(book, 3, "order.resolved", 9, cl_ord_id="o1")

    assert [("o1", 9 * S)] == [(one.labels["cl_ord_id"], one.ends_at_ns) for one in ended]
    assert ["o2"] == [one.labels["cl_ord_id"] for one in book.evaluate(10 * S).alerts]


def test_an_ending_fact_may_call_the_fields_otherwise() -> None:
    rule = {**QUARANTINED, "until": ["order.accepted"], "until_by": ["stream", "report_cl_ord_id"]}
    book = books(rule).facts
    quarantined(book, 1, "o1")

    assert [] == shown(book, 2, "order.accepted", report={"cl_ord_id": "o2"})
    assert [] == shown(book, 3, "order.accepted", report={"px": "1"})
    assert ["o1"] == [one.labels["cl_ord_id"] for one in shown(book, 4, "order.accepted", report={"cl_ord_id": "o1"})]


def test_without_an_ending_fact_it_ends_some_time_after_the_last_one() -> None:
    rule = {**QUARANTINED, "until": [], "firing_for": 60}
    book = books(rule).facts
    quarantined(book, 1, now_s=0)
    quarantined(book, 2, now_s=30)

    assert [None] == [one.ends_at_ns for one in book.evaluate(89 * S).alerts]
    assert [90 * S] == [one.ends_at_ns for one in book.evaluate(90 * S).alerts]
    assert [] == book.evaluate(91 * S).alerts


def test_a_fact_that_is_shown_twice_counts_once_in_the_next_process_too() -> None:
    book = books(QUARANTINED).facts
    quarantined(book, 5)
    heir = books(QUARANTINED)
    successor = heir.facts
    for fact in book.snapshot(0):
        stored = body_of(fact.kind, msgspec.json.encode(fact))
        assert stored is not None
        heir.apply(stored)

    assert book.alive() == successor.alive()
    assert [] == quarantined(successor, 5)
    assert [2.0] == [one.value for _ in [quarantined(successor, 6)] for one in successor.alive()["OrderQuarantined"]]


def test_the_first_start_leaves_the_past_alone_and_marks_are_rare() -> None:
    book = books(QUARANTINED).facts

    assert [FactsRead(at_ns=0, pos=40)] == book.read_to(40, 0)
    assert [] == quarantined(book, 40)
    assert [] == book.read_to(39 + MARK_EVERY_FACTS, 0)
    assert [40 + MARK_EVERY_FACTS] == [mark.pos for mark in book.read_to(40 + MARK_EVERY_FACTS, 0)]


@pytest.mark.parametrize("length", [10_000, 201])
def test_a_huge_fact_makes_a_small_alert(length: int) -> None:
    book = books({**QUARANTINED, "by": ["cl_ord_id"]}).facts
    order = "o" * length

    alert = shown(
        book, 1, "order.quarantined", cl_ord_id=order, symbol="EURUSD", more={str(n): "x" * 99 for n in range(99)}
    )

    assert order[:200] == alert[0].labels["cl_ord_id"]
    assert 2_000 >= sum(len(name) + len(value) for name, value in book.alive()["OrderQuarantined"][0].source)
    assert 1 == len(shown(book, 2, "order.resolved", cl_ord_id=order))


def test_a_rung_on_which_nobody_can_be_called_becomes_an_alert() -> None:
    rule = {"kind": "fact", "name": "NobodyOnCall", "fact": "escalation.stepped", "where": ['nobody!="[]"'],
            "by": ["escalation_id"], "until": ["escalation.closed"], "severity": "critical",
            "summary": "{{ $labels.nobody }}"}  # fmt: skip
    book = books(rule).facts
    stepped = Stepped(escalation_id="a", at_ns=0, step=0, loops=0, next_at_ns=0, people=("bob",), multi_ack=False)
    bodies: list[Stepped | Closed] = [
        stepped,
        msgspec.structs.replace(stepped, people=(), nobody=("schedule:nights",)),
        Closed(escalation_id="a", at_ns=0, by="bob"),
    ]

    told = [shown(book, pos, body.kind, **msgspec.to_builtins(body)) for pos, body in enumerate(bodies, start=1)]

    assert [[], ['["schedule:nights"]'], [0]] == [
        [one.annotations["summary"] if one.ends_at_ns is None else one.ends_at_ns for one in alerts] for alerts in told
    ]
