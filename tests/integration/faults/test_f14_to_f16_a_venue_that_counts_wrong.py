"""F14-F16: overfills, fees without an asset, trades taken back, orders and trades that vanish from lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.integration.desk.conftest import ACCOUNT
from tests.integration.faults.scene import GRACE_S, RESTING_PX, SOON_S, Scene


def misbehave(scene: Scene, deed: str, **facts: Any) -> None:
    scene.venue.control("POST", "misdeeds", {"deed": deed, "account": ACCOUNT, "symbol": "EURUSDT"} | facts)


async def rests(scene: Scene, qty: str = "10") -> str:
    """Open a desk with one resting order and return its id."""
    await scene.open(px=RESTING_PX, qty=qty)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    return str(scene.accepted()[0]["client_order_id"])


async def test_f14_an_overfill_is_booked_and_blocks_the_symbol(scene: Scene) -> None:
    cl_ord_id = await rests(scene)

    misbehave(scene, "overfill", client_order_id=cl_ord_id, qty="12", price=RESTING_PX)
    await scene.judge()

    (blocked,) = scene.facts("symbol.blocked")
    (flagged,) = scene.facts("order.flagged")
    assert blocked.body["code"] == flagged.body["code"]
    assert ["12"] == [row["cum_qty"] for row in await scene.rows("orders")]


async def test_f14_a_frame_with_a_fee_without_its_asset(scene: Scene) -> None:
    await rests(scene)
    scene.venue.fault("F14", times=100)

    scene.cross()
    await scene.judge()

    assert [("EUR", "filled")] == list(
        zip([row["fee_asset"] for row in await scene.rows("trades")], await scene.states(), strict=True)
    )


async def test_f14_an_answer_with_a_fee_without_its_asset(scene: Scene) -> None:
    scene.venue.fault("F12", times=100)
    scene.venue.fault(effect="strip_answer", call="order.place", fields=["commissionAsset"])
    await scene.open()
    scene.tick()

    await scene.until(scene.accepted, what="an order at the venue")
    await scene.judge()
    assert [] == scene.facts("order.doubted")

    assert [("EUR", "filled")] == list(
        zip([row["fee_asset"] for row in await scene.rows("trades")], await scene.states(), strict=True)
    )


async def test_f14_a_trade_taken_back_is_told_and_never_booked_away(scene: Scene) -> None:
    await scene.open()
    scene.tick()
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill")
    (booked,) = scene.facts("trade.booked")

    misbehave(scene, "bust", trade_id=int(booked.body["trade"]["trade_id"]))

    def told() -> bool:
        return any(fact.body["differences"] for fact in scene.facts("desk.reconciled"))

    await scene.until(told, what="the difference", within_s=SOON_S + 1)
    assert 1 == len(scene.facts("trade.booked", "trade.inferred", "trade.busted", "trade.corrected"))


async def test_f14_a_trade_told_with_another_price_is_a_conflict_told_once(scene: Scene) -> None:
    await scene.open()
    scene.tick()
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill")
    (booked,) = scene.facts("trade.booked")

    misbehave(scene, "correct", trade_id=int(booked.body["trade"]["trade_id"]), price="1.05")
    await scene.until(lambda: scene.facts("trade.conflicted"), what="the conflict")

    (conflict,) = scene.facts("trade.conflicted")
    told_px = Decimal(conflict.body["booked"]["last_px"]), Decimal(conflict.body["reported"]["last_px"])
    booked_px = Decimal(booked.body["trade"]["last_px"])
    assert (booked_px, Decimal("1.05")) == told_px
    assert [booked_px] == [Decimal(row["last_px"]) for row in await scene.rows("trades")]


async def test_f15_an_order_missing_from_the_open_ones_lives_on(scene: Scene) -> None:
    cl_ord_id = await rests(scene)
    scene.cross(qty="4")
    scene.venue.fault("F15", client_order_id=cl_ord_id, for_s=1.5)
    scene.venue.fault("F6", for_s=1.0)

    await scene.judge(within_s=1.5 + SOON_S)

    assert ["partially_filled"] == await scene.states()


async def test_f15_an_order_that_ended_half_filled_without_a_word(scene: Scene) -> None:
    await rests(scene)
    scene.venue.fault("F12", times=1000)
    scene.cross(qty="4")
    (order,) = scene.venue.account_state(ACCOUNT)["orders"]
    scene.venue.control("DELETE", f"orders/{order['orderId']}")

    await scene.judge()

    assert ["canceled"] == await scene.states()
    assert ["4"] == [row["cum_qty"] for row in await scene.rows("orders")]


async def test_f16_fills_the_venue_does_not_list_for_a_while(scene: Scene) -> None:
    await rests(scene)
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F16", for_s=1.5)

    scene.cross()
    await scene.until(lambda: scene.facts("hole.seen"), what="the hole")
    await scene.judge(within_s=1.5 + SOON_S)

    assert ["filled"] == await scene.states()


async def test_f16_fills_beyond_the_look_back_are_inferred_and_replaced_when_told(scene: Scene) -> None:
    await rests(scene)
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F16", times=10_000)

    scene.cross()
    await scene.until(lambda: scene.facts("trade.inferred"), what="the synthetic fill", within_s=GRACE_S + SOON_S)
    (position,) = await scene.rows("positions")
    assert (["filled"], Decimal(10)) == (await scene.states(), Decimal(position["qty"]))

    scene.venue.control("DELETE", "faults")
    await scene.judge(within_s=6)
    (position,) = await scene.rows("positions")
    assert Decimal("9.99") == Decimal(position["qty"])  # the real trade, with its fee, instead of the synthetic one
