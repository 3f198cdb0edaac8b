"""The end of a chaos run compares every order with the venue's: each planted difference is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.chaos.settling import STATES, contradictions
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At

LASTING = tuple(sorted(ORDER_LIFE.terminal, key=lambda state: state.value))
PASSING = tuple(state for state in At if state not in ORDER_LIFE.terminal)


@pytest.mark.parametrize("state", PASSING)
def test_an_order_that_is_not_at_its_end_is_told(state: At) -> None:
    assert [f"order x: nothing ends where it is, {state.value}"] == contradictions({"x": state}, {})


@pytest.mark.parametrize("state", LASTING)
def test_an_order_at_its_end_is_not(state: At) -> None:
    assert [] == contradictions({"x": state}, {})
    assert [] == contradictions({"x": state}, {"x": state})


@pytest.mark.parametrize(
    ("ours", "at_venue", "said"),
    [
        ({}, {"x": At.NEW}, "expected new as at the venue, was unknown here"),
        ({"x": At.CANCELED}, {"x": At.NEW}, "expected new as at the venue, was canceled"),
        ({"x": At.ABANDONED}, {"x": At.FILLED}, "expected filled as at the venue, was abandoned"),
        ({"x": At.CANCELED}, {"x": At.FILLED}, "expected filled as at the venue, was canceled"),
    ],
)
def test_another_state_than_the_venues_is_told(ours: Mapping[str, At], at_venue: Mapping[str, At], said: str) -> None:
    assert [f"order x: {said}"] == contradictions(ours, at_venue)


def test_every_word_of_the_venue_is_known() -> None:
    assert {"NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"} == STATES.keys()
