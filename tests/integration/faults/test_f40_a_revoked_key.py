"""F40: the venue refuses the account's key (-2015): the desk stops, says so in a fact, and waits for a human."""

from __future__ import annotations

import pytest

from tests.integration.desk.conftest import ACCOUNT
from tests.integration.faults.scene import RESTING_PX, Scene
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.trading.mode_requests import mode_requested


def revoke(scene: Scene, *, revoked: bool) -> None:
    scene.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": revoked})


async def test_f40_a_revoked_key_stops_the_desk_until_a_human_lifts_it(scene: Scene) -> None:
    desk = await scene.open(px=RESTING_PX, orders=50)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="an order at the venue")
    revoke(scene, revoked=True)

    await scene.until(scene.moving(lambda: scene.facts("desk.key_refused")), what="the page")
    await scene.until(lambda: "halted" in desk.health().reason, what="the desk to say that it is halted")
    intended = scene.kinds().count("order.intended")
    await scene.until(scene.moving(lambda: scene.facts("order.denied")), what="a wish that is not followed")
    assert intended == scene.kinds().count("order.intended")
    assert 1 == len(scene.facts("desk.key_refused"))
    assert "-2015" == scene.facts("desk.key_refused")[0].body["venue_code"]

    scene.cross()  # what rested at the venue fills meanwhile, and nobody can tell us
    revoke(scene, revoked=False)
    scene.venue.control("POST", "streams/close", {"kind": "user"})
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill that nobody could tell", within_s=4.0)
    lifted = mode_requested("paper", "normal", by="ops", reason="a new key is in place")
    await scene.store.append([lifted], node="ops", fence=None)
    await scene.until(scene.moving(lambda: scene.kinds().count("order.intended") > intended), what="trading to go on")
    await desk.leave(1.0)
    await scene.judge()

    (first, *_) = scene.accepted()
    story = await scene.story(first["client_order_id"])
    assert "the venue refuses the account's key (-2015: Invalid API-key, IP, or permissions for action.)" in story
    assert "filled: It is filled: 10 at" in story


async def test_f40_a_desk_that_may_goes_on_by_itself_once_it_knows_what_it_missed(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, orders=50, settings={"resume_when_key_works": True})
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="an order at the venue")
    revoke(scene, revoked=True)
    told = scene.moving(lambda: [one for one in scene.facts("desk.key_refused") if one.body.get("questions")])
    await scene.until(told, what="a question to be refused")

    scene.venue.control("POST", "streams/close", {"kind": "user"})
    scene.cross()  # what rested at the venue fills meanwhile, and nobody can tell us
    revoke(scene, revoked=False)
    intended = scene.kinds().count("order.intended")
    await scene.until(scene.moving(lambda: scene.kinds().count("order.intended") > intended), what="trading to go on")

    kinds = scene.kinds()
    assert kinds.index("trade.booked") < kinds.index("desk.key_accepted")
    await scene.judge()


async def test_f40_an_order_refused_for_the_key_is_refused_for_good(scene: Scene) -> None:
    await scene.open(orders=1, settings={"poll_trades_s": 60.0, "poll_orders_s": 30.0, "compare_s": 60.0})
    revoke(scene, revoked=True)
    await scene.until(scene.moving(lambda: "desk.key_refused" in scene.kinds()), what="the page")

    await scene.judge()
    assert ["rejected"] == await scene.states()
    refused = scene.facts("order.refused")[0].body["cl_ord_id"]
    assert "refused by the venue before matching (-2015: Invalid API-key" in await scene.story(refused)


async def test_f40_no_desk_starts_on_a_revoked_key(scene: Scene) -> None:
    revoke(scene, revoked=True)

    with pytest.raises(OrchestratorError, match="-2015 Invalid API-key"):
        await scene.open()

    assert [] == scene.facts("order.intended")
    assert ["desk.key_refused", "desk.mode_changed"] == scene.kinds()
