"""F38, F39: names do not resolve, the venue is in maintenance, a symbol is halted, a filter has changed."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.integration.faults.scene import RESTING_PX, SYMBOL, Scene

BY_TIMER = {
    "name": "metronome",
    "class": "tests.chaos.metronome:Metronome",
    "params": {"symbol": SYMBOL, "qty": "20", "every_s": 0.1},
}


async def test_f38_while_names_do_not_resolve_nothing_is_unknown_and_nothing_is_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.host = "localhost"
    desk = await scene.open(settings={"strategies": [BY_TIMER]})
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="an order at the venue")
    resolve = socket.getaddrinfo
    failed: list[Any] = []

    def unresolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "localhost":
            return resolve(host, *args, **kwargs)
        failed.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    scene.forget_addresses()
    scene.venue.kill()
    scene.venue.start()
    await scene.until(scene.moving(lambda: scene.facts("order.refused")), what="an order that did not leave")
    taken = len(scene.accepted())
    scene.cross()
    await scene.until(lambda: len(failed) > 5, what="names asked for and not found")
    assert taken == len(scene.accepted())
    assert [] == scene.facts("order.abandoned", "order.quarantined")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill that nobody could tell", within_s=4.0)
    await scene.until(scene.moving(lambda: len(scene.accepted()) > taken), what="trading to go on", within_s=4.0)
    await desk.leave(1.0)
    await scene.judge()

    refused = scene.facts("order.refused")[0].body["cl_ord_id"]
    assert "venue.not_sent" in await scene.story(refused)


async def test_f39_maintenance_leaves_orders_unknown_and_the_first_honest_answer_tells(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, orders=2)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="an order at the venue")
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F3")  # the order it takes last is answered by a 503 as well
    scene.venue.fault(effect="html", call="*", status=503, times=100_000)
    await scene.until(scene.moving(lambda: len(scene.accepted()) == 2), what="the order on the brink")
    await scene.until(lambda: "order.doubted" in scene.kinds(), what="the doubt")
    scene.cross()
    await asyncio.sleep(1.0)  # longer than the proof of an absence would take, were a 503 a not-found
    assert "unknown" in await scene.states()

    scene.venue.control("DELETE", "faults")
    await scene.judge()

    assert ["filled", "filled"] == await scene.states()
    story = await scene.story(scene.accepted()[1]["client_order_id"])
    assert "UNKNOWN, not rejected, never resent" in story
    assert "filled: It is filled: 10 at" in story


@pytest.mark.parametrize(
    ("code", "text"),
    [(-2010, "Market is closed."), (-1013, "Filter failure: LOT_SIZE"), (-1121, "Invalid symbol.")],
    ids=["symbol halted", "filter changed", "symbol delisted"],
)
async def test_f39_a_symbol_that_takes_no_orders_is_a_definite_no(scene: Scene, code: int, text: str) -> None:
    desk = await scene.open(px=RESTING_PX, orders=2)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="an order at the venue")
    scene.venue.fault(effect="refuse", call="order.place", status=400, code=code, text=text, times=1000)
    await scene.until(scene.moving(lambda: scene.facts("order.refused")), what="the refusal")
    scene.cross()
    await scene.until(lambda: "trade.booked" in scene.kinds(), what="the fill of the order that rests")
    await desk.leave(1.0)
    await scene.judge()

    assert ["filled", "rejected"] == await scene.states()
    assert [] == scene.facts("order.doubted", "desk.key_refused")
    refused = scene.facts("order.refused")[0].body["cl_ord_id"]
    assert f"refused by the venue before matching ({code}: {text})" in await scene.story(refused)
