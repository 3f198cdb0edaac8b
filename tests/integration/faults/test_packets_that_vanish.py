"""F5, F7, F11, F19, F24: packets between desk and venue vanish for real, in a network namespace of the venue's own."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.scene import GRACE_S, RESTING_PX, SYMBOL, Scene
from tests.integration.faults.wire import WAYS, Wire

BY_TIMER = {
    "name": "metronome",
    "class": "tests.chaos.metronome:Metronome",
    "params": {"symbol": SYMBOL, "qty": "20", "every_s": 0.1},
}


async def rest(scene: Scene) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")


async def test_f19_half_open_connections_keep_no_fill_from_us(far_scene: Scene, wire: Wire) -> None:
    """Whatever is connected hears nothing any more and is never told so; a new connection works."""
    venue = far_scene.venue
    await rest(far_scene)
    (first,) = far_scene.streams()

    wire.vanish(venue.port, of=wire.connections(venue.pid, venue.port))
    far_scene.cross()
    await far_scene.judge(within_s=4.0)
    assert ["filled"] == await far_scene.states()

    await far_scene.until(lambda: len(far_scene.streams()) > 1, what="a new stream", within_s=5)
    assert first < far_scene.streams()[-1]
    assert 0 < wire.met()


async def test_f19_half_open_in_the_middle_of_trading_loses_and_doubles_nothing(far_scene: Scene, wire: Wire) -> None:
    venue = far_scene.venue
    with DeskChild(far_scene, "trader") as child:
        for _ in range(3):
            known = len(far_scene.accepted())
            await far_scene.until(
                far_scene.moving(lambda known=known: len(far_scene.accepted()) > known + 5),  # type: ignore[misc]
                what="orders on new connections",
                within_s=20.0,
            )
            wire.vanish(venue.port, of=wire.connections(venue.pid, venue.port))
        await far_scene.until(
            far_scene.moving(lambda: "order.doubted" in far_scene.kinds()), what="an order in doubt", within_s=6.0
        )
        child.kill()

    await far_scene.open(settings={"strategies": []})
    await far_scene.judge(within_s=8.0)
    assert 0 < wire.met()


async def test_f05_a_request_that_the_network_held_back_is_one_order_or_none(far_scene: Scene, wire: Wire) -> None:
    """The kernel sends it again when packets pass, after we gave up: the venue takes it then, or calls it too late."""
    await far_scene.open(px=RESTING_PX)
    await far_scene.until(far_scene.streams, what="the stream")
    wire.vanish(far_scene.venue.port, ways=["arriving"])
    far_scene.tick()
    await far_scene.until(lambda: "order.doubted" in far_scene.kinds(), what="the doubt")
    assert [] == far_scene.accepted()

    wire.heal()
    await far_scene.judge(within_s=6.0)

    arrived = len(far_scene.accepted()) + len(far_scene.venue.log("request.refused"))
    assert (1, 1) == (arrived, far_scene.kinds().count("order.intended"))


@pytest.mark.parametrize("ways", [["leaving"], WAYS], ids=["answers", "all"])
async def test_f07_an_outage_is_no_information(far_scene: Scene, wire: Wire, ways: list[str]) -> None:
    """However long no question is answered, nothing is called absent; the first honest answer tells."""
    desk = await far_scene.open(settings={"strategies": [BY_TIMER]})
    far_scene.tick()
    await far_scene.until(lambda: "order.accepted" in far_scene.kinds(), what="an order at the venue")
    wire.vanish(far_scene.venue.port, ways=ways)
    await far_scene.until(lambda: "order.doubted" in far_scene.kinds(), what="the doubt", within_s=4.0)
    far_scene.cross()

    await asyncio.sleep(GRACE_S + 1.5)  # longer than it takes to prove an absence
    assert [] == far_scene.facts("order.abandoned", "order.quarantined")
    assert "unknown" in await far_scene.states()
    taken, met = len(far_scene.accepted()), wire.met()
    wire.heal()

    await far_scene.until(
        far_scene.moving(lambda: len(far_scene.accepted()) > taken), what="trading to go on", within_s=8.0
    )
    await desk.leave(1.0)
    await far_scene.close()
    await far_scene.open(settings={"strategies": []})
    await far_scene.judge(within_s=6.0)
    assert 0 < met


async def test_f24_refused_connections_are_tried_until_one_is_taken(far_scene: Scene, wire: Wire) -> None:
    await rest(far_scene)
    wire.refuse(far_scene.venue.port)
    await far_scene.until(lambda: wire.met() > 40, what="refusals of whatever connects", within_s=20.0)
    far_scene.cross()
    assert [] == far_scene.facts("trade.booked", "order.doubted")
    wire.heal()

    await far_scene.judge(within_s=4.0)
    assert ["filled"] == await far_scene.states()
    await far_scene.until(lambda: len(far_scene.streams()) > 1, what="a new stream", within_s=5)


async def test_f11_packets_lost_at_random_lose_and_double_nothing(far_scene: Scene, wire: Wire) -> None:
    with DeskChild(far_scene, "trader") as child:
        await far_scene.until(far_scene.moving(far_scene.accepted), what="the first order")
        wire.lose(far_scene.venue.port, percent=10)  # nobody starts this process anew if its start fails by that
        await far_scene.until(far_scene.moving(lambda: len(far_scene.accepted()) > 40), what="orders", within_s=30.0)
        child.kill()
    met = wire.met()
    wire.heal()

    await far_scene.open(settings={"strategies": []})
    await far_scene.judge(within_s=8.0)
    assert 0 < met
