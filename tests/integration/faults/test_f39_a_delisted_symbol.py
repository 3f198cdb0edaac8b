"""F39: the venue delists one of a desk's symbols; the desk trades on with the others, also after a start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.conftest import OPTIONS, set_up
from tests.integration.faults.scene import SYMBOL, Scene
from tests.venue_process import VenueProcess

GONE = "GBP/USDT"
PRICES = "time,open,high,low,close\n2017-01-02T00:00,1.2,1.23456,1.2,1.23456\n2017-01-02T01:00,1.2,1.2,1.2,1.2\n"
RESTS = {"name": "rests", "class": "tests.unit.desk.strategies:BuyerOf",
         "params": {"symbol": GONE, "px": "1.00000", "qty": "10"}}  # fmt: skip
TRADES = {"name": "trades", "class": "tests.chaos.metronome:Metronome",
          "params": {"symbol": SYMBOL, "qty": "20", "every_s": 0.1}}  # fmt: skip
SETTINGS: dict[str, Any] = {"symbols": [GONE, SYMBOL], "strategies": [RESTS, TRADES], "quarantine_s": 4.0}
"""The one that goes is asked first."""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Scene]:
    """A venue with two symbols; the quotes of the one that stays are held."""
    (tmp_path / "gbp.csv").write_text(PRICES)
    venue = VenueProcess(tmp_path / "venue", OPTIONS | {"market": [f"{GONE}={tmp_path / 'gbp.csv'}"]})
    async with set_up(venue, tmp_path / "journal.db") as scene:
        body = {"symbol": "GBPUSDT", "bid": "1.20000", "ask": "1.20010", "bid_qty": "1000", "ask_qty": "1000"}
        venue.control("POST", "market", body)
        scene.shows_first_quote = True
        yield scene


def booked(scene: Scene) -> int:
    return len([fact for fact in scene.facts("trade.booked") if fact.body["trade"]["symbol"] == SYMBOL])


def rests_on_gone(scene: Scene) -> list[str]:
    return [fact["client_order_id"] for fact in scene.accepted() if fact["symbol"] == "GBPUSDT"]


async def states_of(scene: Scene) -> dict[str, str]:
    return {row["cl_ord_id"]: row["state"] for row in await scene.rows("orders") if row["symbol"] == GONE}


async def test_f39_a_delisted_symbol_stops_no_other_and_what_rests_on_it_is_not_called_dead(pair: Scene) -> None:
    desk = await pair.open(settings=SETTINGS)
    await pair.until(pair.moving(lambda: rests_on_gone(pair)), what="the order that rests")
    await pair.until(pair.moving(lambda: booked(pair)), what="trading on the other")
    (rests,) = rests_on_gone(pair)

    pair.venue.control("POST", "misdeeds", {"deed": "delist", "symbol": "GBPUSDT"})
    pair.venue.fault("F12", times=100_000)  # of fills on the other the polls alone can tell
    await pair.until(pair.moving(lambda: pair.facts("symbol.blocked")), what="the block")
    before = booked(pair)
    await pair.until(pair.moving(lambda: booked(pair) > before + 2), what="fills of the other, by polls", within_s=4)
    await pair.until(pair.moving(lambda: pair.facts("order.doubted")), what="the doubt")
    await pair.until(pair.moving(lambda: pair.facts("order.quarantined")), what="the quarantine", within_s=8)
    await desk.leave(1.0)

    again = await pair.open(settings=SETTINGS)
    before = booked(pair)
    await pair.until(pair.moving(lambda: booked(pair) > before), what="trading after a start", within_s=4)

    assert {rests: "quarantined"} == await states_of(pair)
    assert {("GBP/USDT", "symbol.delisted")} == {
        (fact.body["symbol"], fact.body["code"]) for fact in pair.facts("symbol.blocked")
    }
    assert [] == pair.facts("order.abandoned", "desk.key_refused")
    assert "GBP/USDT takes no new entries: symbol.delisted" in again.health().reason
    story = await pair.story(rests)
    assert f"the venue knows no symbol {GONE} any more" in story
    assert f"{GONE} blocked for new orders (symbol.delisted)" in story
