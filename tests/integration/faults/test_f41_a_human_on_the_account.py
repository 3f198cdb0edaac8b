"""F41: a human trades, deposits and withdraws on the account of a desk; the desk sees it and touches nothing of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.integration.desk.conftest import ACCOUNT, OPENING
from tests.integration.faults.scene import RESTING_PX, SYMBOL, Scene
from trading_orchestrator.trading.mode_requests import adjustment_requested, mode_requested

HUMAN = {"account": ACCOUNT, "symbol": "EURUSDT", "side": "BUY"}


def by_hand(scene: Scene, **order: Any) -> dict[str, Any]:
    return scene.venue.control("POST", "orders", HUMAN | order)


async def eur(scene: Scene) -> Decimal:
    (row,) = await scene.rows("positions")
    return Decimal(row["qty"])


async def test_f41_a_humans_orders_count_and_are_left_alone(scene: Scene) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="our own order at the venue")
    rests = by_hand(scene, type="LIMIT", timeInForce="GTC", quantity="7", price=RESTING_PX)
    by_hand(scene, type="MARKET", quantity="5")
    await scene.until(lambda: len(scene.facts("foreign_order.seen")) == 2, what="both orders of the human")
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the human's trade")
    assert Decimal(5) - Decimal("0.005") == await eur(scene)

    await scene.store.append([mode_requested("paper", "killed", by="ops", reason="a drill")], node="ops", fence=None)
    await scene.until(lambda: "desk.kill_verified" in scene.kinds(), what="the kill switch to have verified")
    scene.cross()
    await scene.until(lambda: len(scene.facts("trade.booked")) == 2, what="the trade of the order we left alone")
    await scene.judge()

    theirs = next(each for each in scene.venue.account_state(ACCOUNT)["orders"] if each["orderId"] == rests["orderId"])
    assert ("FILLED", "7") == (theirs["status"], str(Decimal(theirs["executedQty"]).normalize()))
    assert [] == [fact for fact in scene.facts("cancel.intended") if fact.body["cl_ord_id"] == rests["clientOrderId"]]
    assert [] == scene.facts("symbol.blocked")
    story = await scene.story(str(rests["orderId"]))
    assert f"seen on the account and not ours: buy 7 EUR/USDT at {RESTING_PX}" in story
    assert "its exposure counts, we do not touch it" in story
    assert "filled: It is filled: 7 at" in story


async def test_f41_a_humans_trade_that_no_frame_told_is_booked_by_the_poll(scene: Scene) -> None:
    await scene.open(orders=0)
    scene.venue.fault("F12", times=100)
    by_hand(scene, type="MARKET", quantity="5")

    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the human's trade")
    await scene.until(lambda: scene.facts("order.flagged"), what="an operator to hear of a trade without an order")

    assert Decimal(5) - Decimal("0.005") == await eur(scene)
    assert ["trade.unattributed"] == [fact.body["code"] for fact in scene.facts("order.flagged")]
    assert "belongs to no order that we know" in scene.facts("order.flagged")[0].body["text"]


async def test_f41_a_deposit_stops_entries_until_somebody_explains_it(scene: Scene) -> None:
    desk = await scene.open(orders=1000, settings={"risk": {"max_orders_per_s": 2, "price_collar_ratio": "0.5"}})
    await scene.until(scene.moving(lambda: scene.facts("trade.booked")), what="a first fill")
    for asset, qty in (("EUR", "250"), ("USDT", "-40")):
        scene.venue.control("POST", "transfers", {"account": ACCOUNT, "asset": asset, "qty": qty})

    await scene.until(lambda: scene.facts("symbol.blocked"), what="the difference seen twice", within_s=4.0)
    await scene.until(lambda: denied_after_the_block(scene), what="an entry denied")
    assert f"{SYMBOL} takes no new entries: balance.unexplained" in desk.health().reason
    assert ["EUR: the venue holds 250 more than our trades", "USDT: the venue holds -40 more than our trades"] == (
        scene.facts("desk.reconciled")[-1].body["differences"]
    )

    for asset, qty in (("EUR", "250"), ("USDT", "-40")):
        asked = adjustment_requested("paper", asset, Decimal(qty), by="ops", reason="the treasury moved it")
        await scene.store.append([asked], node="ops", fence=None)
    await scene.until(lambda: "symbol.released" in scene.kinds(), what="the block lifted", within_s=4.0)
    booked = len(scene.facts("trade.booked"))
    await scene.until(scene.moving(lambda: len(scene.facts("trade.booked")) > booked), what="trading to go on")
    await desk.leave(1.0)
    await scene.judge()

    held = {asset: Decimal(one["free"]) for asset, one in scene.venue.account_state(ACCOUNT)["balances"].items()}
    assert held["EUR"] == OPENING + 250 + await eur(scene)
    assert [] == scene.facts("trade.inferred")


def denied_after_the_block(scene: Scene) -> bool:
    """Let the market move, and say whether the strategy's wish was denied because of it."""
    scene.tick()
    return any(fact.body["code"] == "risk.symbol_blocked" for fact in scene.facts("order.denied"))
