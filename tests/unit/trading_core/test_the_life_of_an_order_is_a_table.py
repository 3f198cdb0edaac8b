"""The life of an order and of a request is data: complete, reachable, and closed to contradictions."""

from __future__ import annotations

import pytest

from trading_orchestrator.kernel.machine import NoSuchTransition
from trading_orchestrator.trading.orders.edge import PRECEDENCE, OrdStatus
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At, On, walk
from trading_orchestrator.trading.orders.requests import REQUEST_LIFE, RequestAt


def test_every_state_can_be_reached() -> None:
    assert set(At) == {At.PENDING_NEW, *(row.to for row in ORDER_LIFE.rows)}
    assert set(RequestAt) == {RequestAt.INTENDED, *(row.to for row in REQUEST_LIFE.rows)}


def test_every_kind_of_evidence_has_a_row() -> None:
    assert set(On) == {row.on for row in ORDER_LIFE.rows}


@pytest.mark.parametrize(
    ("expected", "evidence"),
    [
        (At.PENDING_NEW, []),
        (At.UNKNOWN, [On.DOUBTED]),
        (At.ABANDONED, [On.DOUBTED, On.PROVED_ABSENT]),
        (At.QUARANTINED, [On.ACCEPTED, On.PART_TRADED, On.DOUBTED, On.QUARANTINED]),
        (At.FILLED, [On.ACCEPTED, On.CANCELED, On.FULLY_TRADED]),
        (At.CANCELED, [On.ACCEPTED, On.CANCELED, On.PART_TRADED]),
        (At.FILLED, [On.ACCEPTED, On.REJECTED, On.FULLY_TRADED]),
        (At.REJECTED, [On.ACCEPTED, On.REJECTED, On.PART_TRADED]),
        (At.NEW, [On.REFUSED, On.ACCEPTED]),
    ],
)
def test_evidence_amounts_to_a_status(expected: At, evidence: list[On]) -> None:
    assert expected is walk(evidence)


@pytest.mark.parametrize(
    "contradiction",
    [
        [On.PART_TRADED],
        [On.ACCEPTED, On.FULLY_TRADED, On.DOUBTED],
        [On.ACCEPTED, On.CANCELED, On.DOUBTED],
        [On.PROVED_ABSENT],
        [On.QUARANTINED],
        [On.REFUSED, On.DOUBTED],
    ],
)
def test_contradictions_have_no_walk(contradiction: list[On]) -> None:
    with pytest.raises(NoSuchTransition):
        walk(contradiction)


def test_doubt_never_rejects() -> None:
    """One ambiguous answer leads to UNKNOWN and nowhere else, wherever it meets the order."""
    assert {At.UNKNOWN} == {row.to for row in ORDER_LIFE.rows if row.on is On.DOUBTED}


def test_every_status_shown_has_a_precedence() -> None:
    assert set(OrdStatus) == set(PRECEDENCE)
