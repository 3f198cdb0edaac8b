"""The page has a place for what a program has, the unwell first, prices in line, and every fee that profit has."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.console.bodies import body_of
from trading_orchestrator.perpetual_operations.console.overview import Overview
from trading_orchestrator.perpetual_operations.console.page.document import document
from trading_orchestrator.perpetual_operations.console.page.reference import reference
from trading_orchestrator.perpetual_operations.console.page.sections import render
from trading_orchestrator.perpetual_operations.console.verdict import Verdict
from trading_orchestrator.perpetual_operations.console.who_holds import NodeLine
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth

WELL = HealthReport(1, HealthState.HEALTHY, "All well.", (), ())
POSITION = {
    "desk": "practice", "symbol": "EUR/USDT", "qty": "50", "avg_px": "1.05", "realized": "0", "cash_flow": "-52.5",
    "fees": {"BNB": "0.0021", "EUR": "17.351", "USDT": "18.129"}, "trades": 2,
}  # fmt: skip


def overview(**some: Any) -> Overview:
    none: dict[str, Any] = dict.fromkeys(("nodes", "leases", "desks", "positions", "orders", "trades"), ())
    seen = {
        "at_ns": 1, "served_by": "a", "verdict": Verdict(HealthState.HEALTHY, "All well."), "pos": 1,
        "facts_per_s": 0.0, "health": WELL, "system": None,
    }  # fmt: skip
    return Overview(**{**none, **seen, **some})


def fill(px: str, symbol: str = "EUR/USDT") -> dict[str, Any]:
    return {"at_ns": 1, "side": "buy", "symbol": symbol, "last_qty": "1", "last_px": px, "fee": "0", "fee_asset": ""}


def part(name: str, state: HealthState) -> PartHealth:
    return PartHealth(name, state, "", (), (), 0.1, 1)


def test_a_program_that_does_not_trade_has_no_empty_cards_about_it() -> None:
    node = NodeLine("a", "ready", 1, "0.1.0", 1, ())
    embedded, trader = (document(overview(nodes=nodes), version="1").decode() for nodes in ((), (node,)))

    assert [False, False, False] == [f'id="{card}-title"' in embedded for card in ("desks", "orders", "fills")]
    assert [True, True, True] == [f'id="{card}-title"' in trader for card in ("desks", "orders", "fills")]


def test_prices_of_a_symbol_have_as_many_places_as_its_finest() -> None:
    shown = render(overview(trades=(fill("1.0466"), fill("1.04659"), fill("30000", "BTC/USDT"))))["fills"]

    assert [True, True, True] == [f">{px}<" in shown for px in ("1.04660", "1.04659", "30\u202f000")]


def test_a_fill_that_was_found_late_stands_where_it_happened() -> None:
    late, *others = ({**fill("1.05"), "desk": "practice", "at_ns": at_ns} for at_ns in (2_000, 9_000, 1_000))
    seen = overview(desks=({"desk": "practice", "lease": None},), positions=(POSITION,), trades=(late, *others))

    (points,) = re.findall(r'class="price" points="([^"]+)"', render(seen)["desks"])

    xs = [float(point.partition(",")[0]) for point in points.split(" ")]
    assert sorted(xs) == xs


def test_what_is_unwell_comes_before_what_is_well() -> None:
    parts = (part("journal", HealthState.HEALTHY), part("dead_mans_switch", HealthState.DEGRADED))
    shown = render(overview(health=HealthReport(1, HealthState.DEGRADED, "", (), parts)))["health"]

    assert 0 < shown.index("dead man's switch") < shown.index("journal")


def test_fees_are_told_in_every_asset_they_were_taken_in() -> None:
    shown = render(overview(desks=({"desk": "practice", "lease": None},), positions=(POSITION,)))["desks"]

    assert "<dd>0.0021 BNB, 17.35 EUR, 18.13 USDT</dd>" in shown


def test_a_dead_nodes_last_word_is_not_taken_for_its_end() -> None:
    shown = render(overview(nodes=(NodeLine("a", "dead", 1, "0.1.0", 1, ()),)))["nodes"]

    assert "last word in the journal " in shown


class Wish(msgspec.Struct, frozen=True):
    """What a command takes."""

    by: str
    for_s: float
    note: str = ""


class Basket(msgspec.Struct, frozen=True):
    """Wishes that hang together."""

    wishes: list[Wish]


def test_the_reference_shows_what_lies_within_lists() -> None:
    paths = {"/api/baskets": {"post": {"tags": ["alerts"], "summary": "Wish", **body_of(list[Basket])}}}

    page = reference({"info": {"title": "T", "version": "1"}, "paths": paths}, "http://h").decode()

    assert """-d '[{"wishes":[{"by":"…","for_s":3600}]}]'""" in page
    assert "<code>wishes</code> (body)" in page


def test_the_reference_shows_a_command_with_its_method_and_what_it_must_be_sent() -> None:
    wish = {"tags": ["alerts"], "summary": "Wish", **body_of(Wish)}
    described = {"info": {"title": "T", "version": "1"}, "paths": {"/api/wish": {"post": wish}}}

    page = reference(described, "http://h").decode()

    sent = """-H 'content-type: application/json' -d '{"by":"…","for_s":3600}'"""
    assert f"curl -s -X POST http://h/api/wish {sent}" in page
    assert "<code>note</code> (body, optional)" in page
    assert '<a href="#alerts">Alerts</a>' in page
