"""F5, F8, F12, F13: what befell an order can be read from `orders explain`, in the order in which it happened."""

from __future__ import annotations

from tests.integration.faults.scene import RESTING_PX, Scene


async def told(scene: Scene) -> str:
    """Return the story of the first order that the venue took."""
    return await scene.story(scene.accepted()[0]["client_order_id"])


def in_order(story: str, *parts: str) -> list[str]:
    """Return the parts that do not stand in the story after those before them."""
    at, missing = 0, []
    for part in parts:
        found = story.find(part, at)
        if found < 0:
            missing.append(part)
        else:
            at = found + len(part)
    return missing


async def test_f05_the_story_of_a_late_arrival(scene: Scene) -> None:
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F5", delay_ms=650)
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(scene.accepted, what="the late arrival")
    await scene.judge()

    story = await told(scene)
    assert [] == in_order(
        story,
        "intended by strategy s: buy 10 EUR/USDT at 1.09",
        "sent; no answer to trust within 0.4 s",
        "UNKNOWN, not rejected, never resent; exposure stays reserved",
        "the venue has it as venue order",
        "It works at the venue; nothing has traded.",
    ), story


async def test_f13_the_story_of_a_fill_before_its_acknowledgement(scene: Scene) -> None:
    scene.venue.fault("F13", delay_ms=300)
    await scene.open()
    scene.tick()
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill")
    await scene.judge()

    story = await told(scene)
    assert [] == in_order(story, "intended by strategy s", "account stream filled trade", "filled: It is filled: 10"), (
        story
    )
    assert "UNKNOWN" not in story


async def test_f12_the_story_of_a_fill_whose_frame_was_lost(scene: Scene) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order at the venue")
    scene.venue.fault("F12", times=1)
    scene.cross()
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill that no frame told")
    await scene.judge()

    story = await told(scene)
    assert [] == in_order(story, "accepted as venue order", "trade ", "10 of 10 at 1.09", "filled: It is filled"), story
    (booked,) = scene.facts("trade.booked")
    assert booked.body["source"] in ("poll", "query")


async def test_f08_the_story_of_a_ban(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, orders=2)
    scene.venue.fault("F8", status=418, retry_after_s=1, for_s=1)
    await scene.until(scene.moving(lambda: scene.facts("order.refused")), what="the order that was not looked at")
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 1), what="an order after the ban", within_s=4.0)
    await scene.judge()

    refused = await scene.story(scene.facts("order.refused")[0].body["cl_ord_id"])
    assert [] == in_order(refused, "intended by strategy s", "(-1003: ", "rejected"), refused
    assert "UNKNOWN" not in refused
    assert [] == scene.facts("order.doubted")
