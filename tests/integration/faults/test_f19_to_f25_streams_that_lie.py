"""F19-F25: half open, mute, frozen, closed, expired, refused, quiet: no fill waits for a stream, no quiet one flaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.integration.desk.conftest import ACCOUNT
from tests.integration.faults.scene import REACH, RESTING_PX, Scene


async def rest(scene: Scene, orders: int = 1) -> None:
    await scene.open(px=RESTING_PX, orders=orders)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")


def half_open(scene: Scene) -> None:
    scene.venue.control("POST", "streams/close", {"kind": "user", "half_open": True})


def closed(scene: Scene) -> None:
    scene.venue.control("POST", "streams/close", {"kind": "user", "code": 1000})


def expired(scene: Scene) -> None:
    scene.venue.control("POST", "streams/close", {"kind": "user", "expire": True})


def refused(scene: Scene) -> None:
    scene.venue.fault("F24", call="user_stream.connect", times=5)
    scene.venue.control("POST", "streams/close", {"kind": "user", "reset": True})


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(half_open, id="f19-half-open"),
        pytest.param(closed, id="f22-closed-1000"),
        pytest.param(expired, id="f23-expired"),
        pytest.param(refused, id="f24-refused"),
    ],
)
async def test_the_fill_is_booked_and_the_stream_comes_back(scene: Scene, lose: Callable[[Scene], None]) -> None:
    await rest(scene)
    (first,) = scene.streams()

    lose(scene)
    scene.cross()
    await scene.judge()
    assert ["filled"] == await scene.states()

    await scene.until(lambda: len(scene.streams()) > 1, what="a new stream", within_s=5)
    assert first < scene.streams()[-1]


async def test_the_new_stream_tells_of_orders_again(scene: Scene) -> None:
    await rest(scene)
    closed(scene)
    await scene.until(lambda: len(scene.streams()) > 1, what="a new stream")
    await asyncio.sleep(0.3)  # it subscribes
    scene.venue.fault("F16", times=1000)  # no poll may help

    scene.cross()
    await scene.until(lambda: scene.facts("trade.booked"), what="the fill")

    assert ["stream"] == [fact.body["source"] for fact in scene.facts("trade.booked")]


@pytest.mark.parametrize("fault", ["F20", "F23"])
async def test_connected_but_mute_is_found_and_heals(scene: Scene, fault: str) -> None:
    """F20, and F23 acknowledged without data: the orders' own answers are witnesses, and a new connection speaks."""
    if fault == "F23":
        scene.venue.fault("F23")
    await scene.open(px=RESTING_PX)
    if fault == "F20":
        scene.venue.fault("F20", call="user_stream.*", for_s=0.5)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")

    await scene.until(lambda: len(scene.streams()) > 1, what="a new stream")
    await asyncio.sleep(0.7)  # the mute time is over, and it subscribes
    scene.venue.fault("F16", times=1000)  # no poll may help
    scene.cross()
    await scene.until(lambda: scene.facts("trade.booked"), what="the fill")

    assert ["stream"] == [fact.body["source"] for fact in scene.facts("trade.booked")]
    scene.venue.control("DELETE", "faults")
    await scene.judge()


async def test_f20_a_mute_account_is_found_by_the_probe_alone(scene: Scene) -> None:
    """Nothing of ours is under way: a human's order moves the balances, and no frame tells."""
    await scene.open(px=RESTING_PX, orders=0)
    await scene.until(lambda: len(scene.streams()) == 1, what="the stream")
    await asyncio.sleep(3 * REACH["quiet_s"])
    assert 1 == len(scene.streams())
    scene.venue.fault("F20", call="user_stream.*", times=1000)

    body = {"account": ACCOUNT, "symbol": "EURUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    scene.venue.control("POST", "orders", body | {"quantity": "10", "price": RESTING_PX})

    await scene.until(lambda: len(scene.streams()) > 1, what="a new stream", within_s=4)


async def test_f20_mute_prices_are_found_and_shown_meanwhile(scene: Scene) -> None:
    scene.shows_first_quote = True
    await scene.open(px=RESTING_PX, orders=1)
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the first quote, without any move")
    scene.venue.fault("F20", call="market_stream.*", for_s=2.0)
    opened = len(scene.streams("market_stream"))

    scene.tick(bid="1.12000")

    await scene.until(lambda: len(scene.streams("market_stream")) > opened, what="a new stream", within_s=4)
    await scene.judge()


async def test_f21_times_that_stand_still(scene: Scene) -> None:
    scene.venue.fault("F21", call="user_stream.*", times=10_000)
    await rest(scene, orders=4)

    def all_sent() -> bool:
        scene.tick()
        return len(scene.accepted()) == 4

    await scene.until(all_sent, what="four orders")
    scene.cross(qty="4")
    scene.cross(qty="21")
    await scene.judge()

    assert ["filled", "filled", "partially_filled", "new"] == await scene.states()


async def test_f24_reconnects_are_spaced_capped_and_jittered(scene: Scene) -> None:
    await rest(scene)
    scene.venue.fault("F24", call="user_stream.connect", times=10_000)
    scene.venue.control("POST", "streams/close", {"kind": "user", "reset": True})

    await asyncio.sleep(3.0)
    tries_ms = [fact["at_ms"] for fact in scene.venue.log("fault.acted") if fact["call"] == "user_stream.connect"]
    waits_s = [(after - before) / 1000 for before, after in zip(tries_ms, tries_ms[1:], strict=False)]
    assert 5 <= len(tries_ms) <= 2 * 3.0 / (REACH["reconnect_most_s"] / 2)  # the transport itself tries twice
    assert max(waits_s) < REACH["reconnect_most_s"] + 1
    assert len({round(wait_s, 2) for wait_s in waits_s}) > 2

    scene.venue.control("DELETE", "faults")
    scene.cross()
    await scene.judge()
    await scene.until(lambda: len(scene.streams()) > 1, what="a new stream")


async def test_f25_quiet_but_healthy_is_left_in_peace(scene: Scene) -> None:
    await rest(scene)
    opened = len(scene.streams()), len(scene.streams("market_stream"))

    await asyncio.sleep(10 * REACH["ping_s"])

    assert opened == (len(scene.streams()), len(scene.streams("market_stream")))
    scene.cross()
    await scene.judge()
    assert Decimal(10) == sum(Decimal(row["last_qty"]) for row in await scene.rows("trades"))


@pytest.mark.parametrize("how", [{"half_open": True}, {"code": 1000}, {"reset": True}], ids=["f19", "f22", "reset"])
async def test_quotes_come_again(scene: Scene, how: dict[str, object]) -> None:
    await rest(scene, orders=2)
    scene.venue.control("POST", "streams/close", {"kind": "market", **how})

    def decides_again() -> bool:
        scene.tick()  # the second order follows from a quote, and from nothing else
        return len(scene.accepted()) == 2

    await scene.until(decides_again, what="a decision on a new quote", within_s=4)
    await scene.judge()
