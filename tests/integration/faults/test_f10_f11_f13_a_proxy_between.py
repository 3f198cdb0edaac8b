"""F10, F11, F13: a proxy sends each order twice, shuffles frames, keeps answers back and cuts connections."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest

from tests.integration.faults.proxy import Proxy, proxy
from tests.integration.faults.scene import RESTING_PX, Scene

ORDERS = 30
TRADE = b'"x":"TRADE"'


@pytest.fixture
async def between(scene: Scene) -> AsyncIterator[Proxy]:
    """The proxy that the desks of the scene reach the venue through."""
    async with proxy(scene.host, scene.port) as between:
        scene.port = between.port
        yield between
        await scene.close()


async def test_f10_each_order_sent_twice_on_the_way_is_one_order(scene: Scene, between: Proxy) -> None:
    between.doubles = True
    await scene.open(px=RESTING_PX, orders=5)

    await scene.until(scene.moving(lambda: len(scene.accepted()) == 5), what="five orders", within_s=6.0)
    await scene.judge()

    assert ["Duplicate order sent."] * 5 == [fact["text"] for fact in scene.venue.log("request.refused")]
    assert (["new"] * 5, 5) == (await scene.states(), scene.kinds().count("order.intended"))


async def test_f10_the_double_of_a_filled_order_is_booked_and_blocks_its_symbol(scene: Scene, between: Proxy) -> None:
    """The venue forgets the id of a filled order, so it takes the double: nobody can prevent it, and we must see it."""
    between.doubles = True
    await scene.open(orders=1)
    scene.tick()
    await scene.until(lambda: len(scene.facts("trade.booked")) == 2, what="both fills")
    await scene.until(lambda: scene.facts("symbol.blocked"), what="the symbol blocked")

    assert 2 == len(scene.accepted())
    assert "order.overfilled" == scene.facts("symbol.blocked")[0].body["code"]
    assert ["20"] == [row["cum_qty"] for row in await scene.rows("orders")]


@pytest.mark.parametrize("seed", [1, 2])
async def test_f11_frames_lost_doubled_late_and_out_of_order(scene: Scene, between: Proxy, seed: int) -> None:
    chance = random.Random(seed)
    copies: list[int] = []
    """Of each frame that tells of a fill."""

    def shuffled(frame: bytes) -> Sequence[float]:
        times = chance.choice((0, 1, 1, 2, 3))
        if TRADE in frame:
            copies.append(times)
        return [chance.uniform(0, 0.25) for _ in range(times)]

    await scene.open(orders=ORDERS)
    await scene.until(lambda: len(scene.streams()) == 1, what="the stream")
    between.frames = shuffled
    await scene.until(
        scene.moving(lambda: scene.kinds().count("order.intended") == ORDERS), what="thirty orders", within_s=15.0
    )
    await scene.judge(within_s=4.0)

    assert ["filled"] * ORDERS == await scene.states()
    assert Decimal(10 * ORDERS) == sum(Decimal(row["last_qty"]) for row in await scene.rows("trades"))
    assert {0, 1, 2, 3} == set(copies)


async def test_f13_a_fill_before_its_ack(scene: Scene, between: Proxy) -> None:
    between.answer_s = 0.3
    await scene.open()
    scene.tick()

    await scene.until(lambda: scene.facts("trade.booked"), what="the fill")
    assert 0 == between.answered
    await scene.until(lambda: 1 == between.answered, what="the answer")
    await scene.judge()

    assert (["filled"], 0) == (await scene.states(), scene.kinds().count("order.doubted"))


async def test_f13_a_fill_after_the_ack_of_its_cancel(scene: Scene, between: Proxy) -> None:
    between.frames = lambda frame: (0.5 if TRADE in frame else 0.0,)
    await scene.open(px=RESTING_PX, cancel_at_bid="1.12000")
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")

    scene.cross(qty="4")
    scene.tick(bid="1.12000")
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel")
    await scene.judge()

    assert ["canceled"] == await scene.states()
    assert ["4"] == [row["cum_qty"] for row in await scene.rows("orders")]


async def test_f13_a_fill_while_disconnected(scene: Scene, between: Proxy) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    between.cut()
    scene.cross()
    assert [] == scene.facts("trade.booked")
    between.mend()

    await scene.judge(within_s=4.0)
    assert ["filled"] == await scene.states()
