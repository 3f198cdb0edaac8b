"""The simulated venue fills honestly, and each fault of its script does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from trading_orchestrator.brokers.port import (
    Broker,
    CancelRefused,
    Connected,
    DuplicateOrder,
    NewOrder,
    NoAnswer,
    OrderNotFound,
    OrderRefused,
    OrderReport,
    OrdType,
    Side,
    TimeInForce,
    VenueStatus,
)
from trading_orchestrator.brokers.simulated.broker import SimulatedBroker
from trading_orchestrator.brokers.simulated.faults import Effect, Fault, FaultScript
from trading_orchestrator.brokers.simulated.feed import SimulatedFeed
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.brokers.simulated.walk import PriceWalk
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.market.port import Feed, Instrument, Quote, Trade

EURUSD = Instrument("EUR/USD", "EUR", "USD", Decimal("0.0001"), Decimal("0.1"))


class World:
    """A venue, a way to it, and what its streams said."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        balances = {"EUR": Decimal(1000), "USD": Decimal(1000)}
        self.venue = SimulatedVenue([EURUSD], clock=self.clock, balances=balances)
        self.faults = FaultScript(Random(1).random)
        self.simulated = SimulatedBroker(self.venue, clock=self.clock, faults=self.faults)
        self.broker: Broker = self.simulated
        self.venue.show_quote("EUR/USD", Decimal("1.1000"), Decimal("1.1001"), Decimal(100))
        self.said: list[Any] = []

    async def listen(self) -> asyncio.Task[None]:
        async def read() -> None:
            async for report in self.broker.reports():
                self.said.append(report)

        task = asyncio.create_task(read())
        await self.clock.advance(0)
        return task

    def told(self) -> list[VenueStatus]:
        return [each.status for each in self.said if isinstance(each, OrderReport)]

    async def outcome(self, cl_ord_id: str = "tx-1") -> Any:
        """Submit and let the time-out pass; return the answer or the error."""
        task = asyncio.ensure_future(self.broker.submit(buy(cl_ord_id)))
        await self.clock.advance(1.0)
        return (await asyncio.gather(task, return_exceptions=True))[0]


def buy(cl_ord_id: str = "tx-1", px: str | None = "1.0000", qty: str = "10", **more: Any) -> NewOrder:
    ord_type = OrdType.LIMIT if px else OrdType.MARKET
    fields: dict[str, Any] = {"side": Side.BUY, "ord_type": ord_type, "px": Decimal(px) if px else None}
    return NewOrder(cl_ord_id=cl_ord_id, symbol="EUR/USD", order_qty=Decimal(qty), **(fields | more))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_taking_order_fills_at_the_quote_up_to_its_quantity(world: World) -> None:
    answer = await world.broker.submit(buy(px="1.2000", qty="150"))

    assert (VenueStatus.PARTIALLY_FILLED, Decimal(100)) == (answer.status, answer.cum_qty)
    assert [Decimal("1.1001")] == [trade.last_px for trade in answer.trades]


async def test_a_resting_order_fills_at_its_own_price_when_the_market_comes(world: World) -> None:
    await world.broker.submit(buy(px="1.0900", qty="150"))
    world.venue.show_quote("EUR/USD", Decimal("1.0880"), Decimal("1.0890"), Decimal(100))
    world.venue.show_quote("EUR/USD", Decimal("1.0880"), Decimal("1.0890"), Decimal(100))

    order = await world.broker.order("EUR/USD", "tx-1")
    trades = await world.broker.trades("EUR/USD")
    assert (VenueStatus.FILLED, Decimal(150)) == (order.status, order.cum_qty)
    assert [(Decimal(100), Decimal("1.09")), (Decimal(50), Decimal("1.09"))] == [
        (t.last_qty, t.last_px) for t in trades
    ]
    assert trades[1:] == list(await world.broker.trades("EUR/USD", after_id=trades[0].trade_id))


async def test_cash_and_goods_are_conserved(world: World) -> None:
    await world.broker.submit(buy(px="1.1001", qty="100"))
    await world.broker.submit(buy("tx-2", px="1.0000", qty="10"))

    balances = {each.asset: (each.total, each.locked) for each in await world.broker.balances()}
    assert {
        "EUR": (Decimal(1100), Decimal(0)),
        "USD": (1000 - Decimal("110.01") - Decimal("0.11001"), Decimal(10)),
    } == balances


@pytest.mark.parametrize(
    ("order", "status", "cum_qty"),
    [
        (buy(px=None, qty="150"), VenueStatus.EXPIRED, 100),
        (buy(px="1.1001", qty="150", time_in_force=TimeInForce.IOC), VenueStatus.EXPIRED, 100),
        (buy(px="1.1001", qty="150", time_in_force=TimeInForce.FOK), VenueStatus.EXPIRED, 0),
        (buy(px="1.1001", qty="100", time_in_force=TimeInForce.FOK), VenueStatus.FILLED, 100),
        (buy(px="1.1000", ord_type=OrdType.LIMIT_MAKER), VenueStatus.NEW, 0),
    ],
)
async def test_an_order_ends_as_its_time_in_force_says(
    world: World, order: NewOrder, status: VenueStatus, cum_qty: int
) -> None:
    answer = await world.broker.submit(order)

    assert (status, Decimal(cum_qty)) == (answer.status, answer.cum_qty)


@pytest.mark.parametrize(
    "order",
    [
        buy(qty="0.05"),
        buy(qty="0"),
        buy(qty="100000"),
        buy(px="1.1001", ord_type=OrdType.LIMIT_MAKER),
        NewOrder("tx-1", "NO/SUCH", Side.BUY, OrdType.LIMIT, Decimal(1), Decimal(1)),
    ],
)
async def test_a_bad_order_is_refused_and_leaves_no_trace(world: World, order: NewOrder) -> None:
    with pytest.raises(OrderRefused):
        await world.broker.submit(order)

    assert [] == world.venue.orders()


async def test_the_id_of_an_open_order_is_a_duplicate(world: World) -> None:
    await world.broker.submit(buy())

    with pytest.raises(DuplicateOrder):
        await world.broker.submit(buy())


async def test_a_cancel_needs_an_open_order(world: World) -> None:
    await world.broker.submit(buy())

    assert VenueStatus.CANCELED is (await world.broker.cancel("EUR/USD", "tx-1")).status
    with pytest.raises(CancelRefused):
        await world.broker.cancel("EUR/USD", "tx-1")
    with pytest.raises(OrderNotFound):
        await world.broker.order("EUR/USD", "tx-2")


@pytest.mark.parametrize(
    ("effect", "raises", "accepted"),
    [
        (Effect.NO_ANSWER, NoAnswer, 1),
        (Effect.LOST, NoAnswer, 0),
        (Effect.NOT_SENT, Transient, 0),
        (Effect.REFUSED, OrderRefused, 0),
    ],
)
async def test_a_fault_of_a_call_strikes_once(
    world: World, effect: Effect, raises: type[Exception], accepted: int
) -> None:
    world.faults.add(Fault("submit", effect))

    assert raises is type(await world.outcome("tx-1"))
    assert accepted == len(world.venue.orders())
    assert isinstance(await world.outcome("tx-2"), OrderReport)


@pytest.mark.parametrize(("delay_s", "accepted"), [(0.9, 1), (1.1, 0)])
async def test_a_late_order_is_accepted_only_while_it_is_valid(world: World, delay_s: float, accepted: int) -> None:
    world.faults.add(Fault("submit", Effect.LATE, delay_s=delay_s))

    outcome = await world.outcome()
    await world.clock.advance(5)

    assert (NoAnswer, accepted) == (type(outcome), len(world.venue.orders()))


async def test_a_hollow_ok_cancels_nothing(world: World) -> None:
    world.faults.add(Fault("cancel", Effect.HOLLOW))
    await world.broker.submit(buy("a", "1.0900"))

    said = await world.broker.cancel("EUR/USD", "a")

    assert (VenueStatus.NEW, 1) == (said.status, len(world.venue.open_orders(["EUR/USD"])))


async def test_failing_queries_heal_when_the_script_is_cleared(world: World) -> None:
    await world.broker.submit(buy())
    world.faults.add(Fault("order", Effect.NOT_SENT, times=1_000))
    with pytest.raises(Transient):
        await world.broker.order("EUR/USD", "tx-1")

    world.faults.clear()

    assert VenueStatus.NEW is (await world.broker.order("EUR/USD", "tx-1")).status


async def test_connected_is_the_first_report_and_comes_again_after_a_gap(world: World) -> None:
    task = await world.listen()
    await world.broker.submit(buy())
    world.simulated.reconnect()
    await world.broker.close()
    await task

    assert [Connected, OrderReport, Connected] == [type(each) for each in world.said]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("report", Effect.DROPPED), [VenueStatus.CANCELED]),
        (Fault("report", Effect.TWICE), [VenueStatus.NEW, VenueStatus.NEW, VenueStatus.CANCELED]),
        (Fault("report", Effect.SWAPPED), [VenueStatus.CANCELED, VenueStatus.NEW]),
        (Fault("report", Effect.LATE, delay_s=2.0), [VenueStatus.CANCELED, VenueStatus.NEW]),
    ],
)
async def test_a_fault_of_a_report_strikes_the_stream(world: World, fault: Fault, told: list[VenueStatus]) -> None:
    task = await world.listen()
    world.faults.add(fault)

    await world.broker.submit(buy())
    await world.broker.cancel("EUR/USD", "tx-1")
    await world.clock.advance(3)
    await world.broker.close()
    await task

    assert told == world.told()


async def test_the_same_seed_plays_the_same_market() -> None:
    async def play(seed: int) -> list[Any]:
        world = World()
        walk = PriceWalk(world.venue, "EUR/USD", start_px=Decimal("1.1"), qty=Decimal(50), chance=Random(seed).random)
        feed: Feed = SimulatedFeed(world.venue)
        seen: list[Quote | Trade] = []

        async def read() -> None:
            seen.extend([item async for item in feed.events(["EUR/USD"])])

        task = asyncio.create_task(read())
        for _ in range(50):
            await world.clock.advance(1)
            walk.step()
        await world.clock.advance(1)
        await feed.close()
        await task
        return seen

    first, second, other = await play(7), await play(7), await play(8)

    assert 100 == len(first)
    assert first == second
    assert first != other


async def test_a_ratio_strikes_by_the_given_chance() -> None:
    def struck(chances: Iterable[float]) -> list[bool]:
        drawn = iter(chances)
        script = FaultScript(lambda: next(drawn))
        script.add(Fault("submit", Effect.LOST, times=2, ratio=0.5))
        return [script.strike("submit") is not None for _ in range(4)]

    assert [False, True, True, False] == struck([0.9, 0.1, 0.4])
