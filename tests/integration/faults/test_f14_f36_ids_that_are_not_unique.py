"""F14, F36: one trade id on two symbols, and a venue that gives its order ids out again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.desk.conftest import ACCOUNT, OPENING
from tests.integration.faults.scene import SYMBOL, Scene
from tests.venue_process import VenueProcess
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

OTHER = "GBP/USDT"
PRICES = "time,open,high,low,close\n2017-01-02T00:00,1.2,1.23456,1.2,1.23456\n2017-01-02T01:00,1.2,1.2,1.2,1.2\n"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Scene]:
    """A venue with two symbols, both held."""
    (tmp_path / "gbp.csv").write_text(PRICES)
    account = f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR={OPENING},USDT={OPENING}"
    market = f"{OTHER}={tmp_path / 'gbp.csv'}"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], market=[market])
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    scene = Scene(venue, store, tmp_path / "journal.db")
    hold(scene)
    try:
        yield scene
    finally:
        await scene.close()
        await store.close()
        venue.stop()


def hold(scene: Scene, bid: str = "1.20000") -> None:
    for symbol in ("EURUSDT", "GBPUSDT"):
        body = {"symbol": symbol, "bid": bid, "ask": "1.20010", "bid_qty": "1000", "ask_qty": "1000"}
        scene.venue.control("POST", "market", body)


def set_counters(scene: Scene, symbol: str, next_order_id: int, next_trade_id: int) -> None:
    deed = {"deed": "set_counters", "next_order_id": next_order_id, "next_trade_id": next_trade_id}
    scene.venue.control("POST", "misdeeds", deed | {"symbol": symbol})


@pytest.mark.parametrize("frames", ["heard", "lost"])
async def test_f14_one_trade_id_on_two_symbols_is_two_trades(pair: Scene, frames: str) -> None:
    for symbol in ("EURUSDT", "GBPUSDT"):
        set_counters(pair, symbol, 1, 5000)
    if frames == "lost":
        pair.venue.fault("F12", times=100)
        pair.venue.fault("F1", times=2)
    pair.shows_first_quote = True
    strategy = {"name": "pair", "class": "tests.integration.faults.strategies:PairBuyer"}
    wanted = {"params": {"symbols": [SYMBOL, OTHER]}}
    await pair.open(settings={"symbols": [SYMBOL, OTHER], "strategies": [strategy | wanted]})
    hold(pair, bid="1.19990")

    await pair.until(lambda: pair.kinds().count("trade.booked") == 2, what="both trades")

    rows = await pair.rows("trades")
    assert [("5000", SYMBOL), ("5000", OTHER)] == sorted((row["trade_id"], row["symbol"]) for row in rows)
    positions = {row["symbol"]: Decimal(row["qty"]) for row in await pair.rows("positions")}
    trades = pair.venue.log("order.traded")
    venue = {fact["symbol"]: Decimal(fact["qty"]) - Decimal(fact["commission"]) for fact in trades}
    assert {SYMBOL: venue["EURUSDT"], OTHER: venue["GBPUSDT"]} == positions
    assert [] == pair.facts("trade.conflicted")


async def test_f36_an_order_id_given_out_again_is_another_order(scene: Scene) -> None:
    desk = await scene.open(orders=1)
    scene.tick()
    await scene.until(lambda: scene.facts("trade.booked"), what="the first fill")
    (first,) = scene.venue.log("order.traded")
    await desk.leave(1)
    set_counters(scene, "EURUSDT", first["order_id"], first["trade_id"] + 1)
    await scene.open(orders=2)
    scene.tick()
    await scene.until(lambda: len(scene.facts("trade.booked")) == 2, what="the second fill")

    traded = scene.venue.log("order.traded")
    assert 1 == len({fact["order_id"] for fact in traded})
    told = {str(fact["trade_id"]): fact["client_order_id"] for fact in traded}

    async def owners() -> dict[str, str]:
        return {row["trade_id"]: row["cl_ord_id"] for row in await scene.rows("trades")}

    assert told == await owners()
    assert [] == scene.facts("order.flagged", "symbol.blocked")


@pytest.mark.parametrize("times", [1, 3])
async def test_f36_an_id_given_out_again_while_every_frame_and_answer_is_lost(scene: Scene, times: int) -> None:
    """Only polls tell, and their trades name nothing but the venue's id, which an ended order had before."""
    scene.venue.fault("F12", times=1000)
    desk = await scene.open(orders=1)
    scene.tick()
    await scene.until(lambda: scene.facts("trade.booked"), what="the first fill")
    (first,) = scene.venue.log("order.traded")
    await desk.leave(1)
    set_counters(scene, "EURUSDT", first["order_id"], first["trade_id"] + 1)
    scene.venue.fault("F1", times=1000)
    scene.venue.fault("F6", times=times)
    await scene.open(orders=2)
    scene.tick()
    await scene.until(lambda: len(scene.venue.log("order.traded")) == 2, what="the second fill at the venue")

    def settled() -> bool:
        owners = {fact.body["trade"]["trade_id"] for fact in scene.facts("trade.booked") if fact.body.get("cl_ord_id")}
        return len(owners | {fact.body["trade"]["trade_id"] for fact in scene.facts("trade.attributed")}) == 2

    await scene.until(settled, what="an owner of each trade", within_s=4)  # the venue itself forgets the first order

    traded = scene.venue.log("order.traded")
    told = {str(fact["trade_id"]): fact["client_order_id"] for fact in traded}
    assert (1, 2) == (len({fact["order_id"] for fact in traded}), len(told))
    assert told == {row["trade_id"]: row["cl_ord_id"] for row in await scene.rows("trades")}
    assert ["filled", "filled"] == await scene.states()
    assert [] == scene.facts("symbol.blocked")
