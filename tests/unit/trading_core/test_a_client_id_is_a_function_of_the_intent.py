"""A client order id says who made it and nothing else: the same intent gives the same id, on any node."""

from __future__ import annotations

import re

import pytest

from trading_orchestrator.trading.orders.client_id import cl_ord_id, is_ours, request_id

GIVEN = ("binance-main", "0k3v9", "mm.0k3v9.1", 0)


def test_the_same_intent_gives_the_same_id_again() -> None:
    assert "troejh4udzb3n7r3zexzqxp" == cl_ord_id(*GIVEN)


@pytest.mark.parametrize(
    "other",
    [
        ("binance-2", "0k3v9", "mm.0k3v9.1", 0),
        ("binance-main", "0k3va", "mm.0k3v9.1", 0),
        ("binance-main", "0k3v9", "mm.0k3v9.2", 0),
        ("binance-main", "0k3v9", "mm.0k3v9.1", 1),
    ],
    ids=["account", "timeline", "intent", "generation"],
)
def test_each_part_makes_another_id(other: tuple[str, str, str, int]) -> None:
    assert cl_ord_id(*GIVEN) != cl_ord_id(*other)


def test_it_fits_the_strictest_venue() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9]{1,32}", cl_ord_id(*GIVEN))


def test_ours_is_told_from_a_humans() -> None:
    assert is_ours(cl_ord_id(*GIVEN))
    assert is_ours(request_id(cl_ord_id(*GIVEN), 1))
    for foreign in ("", "web_4711", "tro", "trovibe", cl_ord_id(*GIVEN) + "x", cl_ord_id(*GIVEN).upper()):
        assert not is_ours(foreign)


def test_requests_of_one_order_have_ids_of_their_own() -> None:
    order = cl_ord_id(*GIVEN)

    assert 4 == len({order, request_id(order, 1), request_id(order, 2), request_id(cl_ord_id("a", "b", "c", 0), 1)})
