"""F33: the journal is put back to an earlier state while the venue went on: all is found again, nothing is doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.integration.faults.scene import RESTING_PX, Scene
from trading_orchestrator.trading.mode_requests import mode_requested


async def live_on(scene: Scene, backup: Path) -> None:
    """Fill one order, rest two, copy the journal; then the venue sees a fill, a rest and a cancel more."""
    desk = await scene.open(turns="bBB", strategy="Turner")
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 3), what="three orders")
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the first fill")
    await desk.leave(1.0)
    await scene.copy_journal(backup)

    desk = await scene.open(turns="bBBbBb", strategy="Turner")
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 6), what="six orders")
    scene.cross(qty="10")  # one of the resting orders, wholly
    await scene.until(lambda: len(scene.facts("trade.booked")) == 4, what="four fills")
    await desk.leave(1.0)


async def test_f33_orders_and_trades_that_the_journal_lost_are_adopted(scene: Scene, tmp_path: Path) -> None:
    await live_on(scene, tmp_path / "yesterday.db")
    await scene.put_journal_back(tmp_path / "yesterday.db")
    assert 3 == scene.kinds().count("order.intended")

    desk = await scene.open(turns="bBBbBb" + 1000 * "b", strategy="Turner")  # a wish denied is a turn taken
    await scene.until(scene.moving(lambda: scene.facts("order.denied")), what="a wish denied: the desk may only reduce")

    assert "reduce_only" == scene.facts("desk.mode_changed")[0].body["mode"]
    assert 3 == scene.facts("desk.found_behind")[0].body["orders"]
    assert 3 == len(scene.facts("order.adopted"))
    assert 6 == len(scene.accepted())
    await scene.until(lambda: len(scene.facts("trade.booked")) == 4, what="every trade booked, the lost ones again")
    assert [] == scene.facts("trade.inferred")
    assert [] == [fact for fact in scene.facts("trade.booked") if not fact.body.get("cl_ord_id")]

    lifted = mode_requested("paper", "normal", by="ops", reason="I have looked at every adopted order")
    await scene.store.append([lifted], node="ops", fence=None)
    await scene.until(scene.moving(lambda: len(scene.accepted()) >= 8), what="trading to go on")
    await desk.leave(1.0)

    assert {1} == set(Counter(order["client_order_id"] for order in scene.accepted()).values())
    await scene.judge_adopted()
    adopted = scene.facts("order.adopted")[0].body["report"]["cl_ord_id"]
    story = await scene.story(adopted)
    assert "found at the venue with our prefix and not in this journal" in story
    assert "the journal is behind the venue: 3 orders of ours were found that it does not know" in story
    assert "the journal was restored" in story
    assert RESTING_PX in await scene.story(scene.facts("order.adopted")[1].body["report"]["cl_ord_id"])


async def test_f33_a_journal_that_lost_nothing_is_not_suspected(scene: Scene) -> None:
    desk = await scene.open(turns="bB", strategy="Turner")
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 2), what="two orders")
    await desk.leave(1.0)
    await scene.open(turns="bBb", strategy="Turner")
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 3), what="the next order")
    await scene.judge()

    assert [] == scene.facts("desk.found_behind", "desk.mode_changed", "order.adopted")
