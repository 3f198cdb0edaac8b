"""The whole order path over sockets and a synced journal: what the venue holds and what is booked are equal."""

from __future__ import annotations

import time

import pytest

from tests.integration.desk.conftest import LOAD, SYMBOL, Floor, until
from trading_orchestrator.kernel.tenancy import Succession

pytestmark = [pytest.mark.integration, pytest.mark.slow]
MARKET_MAKER = "trading_orchestrator.trading.strategies.market_maker:MarketMaker"
BUYER = "tests.unit.desk.strategies:Buyer"
MAKER = LOAD | {"symbol": SYMBOL}


async def traded(floor: Floor, at_least: int) -> None:
    async def enough() -> bool:
        return (await floor.kinds()).count("trade.booked") >= at_least

    await until(enough, within_s=30, what=f"{at_least} booked trades")


async def agreed(floor: Floor) -> None:
    async def no_difference() -> bool:
        return not await floor.differences()

    try:
        await until(no_difference, within_s=15, what="the venue and the journal agree")
    except AssertionError:
        raise AssertionError("; ".join(await floor.differences())) from None


async def test_every_fill_is_booked_and_the_position_is_the_venues(floor: Floor) -> None:
    desk = floor.desk(MARKET_MAKER, MAKER)
    await desk.warm()
    await floor.take(desk)
    began_s = time.monotonic()
    await traded(floor, 20)
    orders = (await floor.kinds()).count("order.intended")
    print(f"\n{orders / (time.monotonic() - began_s):.0f} orders/s")

    await agreed_after_leaving(floor, desk.leave(2.0))


async def agreed_after_leaving(floor: Floor, leaving: object) -> None:
    await leaving  # type: ignore[misc]
    desk = floor.desk(MARKET_MAKER, MAKER, strategies=[])
    await desk.warm()
    await floor.take(desk, Succession.HANDED_OVER)
    for order in floor.venue.account_state("alice")["orders"]:
        if order["status"] in ("NEW", "PARTIALLY_FILLED"):
            floor.venue.control("DELETE", f"orders/{order['orderId']}")
    await agreed(floor)


async def test_ghosts_late_answers_and_lost_frames_end_in_agreement(floor: Floor) -> None:
    desk = floor.desk(MARKET_MAKER, MAKER)
    await desk.warm()
    await floor.take(desk)
    for fault in ("F1", "F2", "F3", "F4"):
        floor.venue.fault(fault, probability=0.03, for_s=6)
    floor.venue.fault("F12", probability=0.2, for_s=6)
    await traded(floor, 20)
    assert "order.doubted" in await floor.kinds()

    await agreed_after_leaving(floor, desk.leave(2.0))


async def test_a_standby_takes_over_from_a_desk_that_stops_without_a_word(floor: Floor) -> None:
    first, standby = floor.desk(MARKET_MAKER, MAKER), floor.desk(MARKET_MAKER, MAKER)
    await first.warm()
    await standby.warm()
    await floor.take(first)
    await traded(floor, 10)

    await first.leave(0)
    intended = (await floor.kinds()).count("order.intended")
    began_s = time.monotonic()
    await floor.take(standby, Succession.PROVED_DEATH)
    took_s = time.monotonic() - began_s

    async def orders_again() -> bool:
        return (await floor.kinds()).count("order.intended") > intended

    await until(orders_again, within_s=10, what="an order of the successor")
    print(f"\ntake {took_s * 1e3:.1f} ms, first order after {(time.monotonic() - began_s) * 1e3:.1f} ms")
    await traded(floor, 25)
    await agreed_after_leaving(floor, standby.leave(2.0))


async def test_an_order_the_venue_took_and_never_answered_is_adopted(floor: Floor) -> None:
    desk = floor.desk(BUYER, {"px": "0.9", "qty": "50"}, risk={"price_collar_ratio": "0.9"})
    floor.venue.fault("F1", call="order.place")
    floor.venue.fault("F12", call="*", for_s=2)
    await desk.warm()
    await floor.take(desk)

    async def adopted() -> bool:
        return [row["state"] for row in await floor.rows("orders")] == ["new"]

    await until(adopted, within_s=10, what="the ghost is adopted")
    assert len(floor.venue.account_state("alice")["orders"]) == 1
    assert (await floor.kinds()).count("order.intended") == 1
