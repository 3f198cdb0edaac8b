"""I11, the page clears: whatever settles a quarantined order ends its alert, and what does not add up pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import LEASE, SYMBOL, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.trading.operator_acts import WriteOffRequested, requested

BUDGET_S = 3.0


async def firing(world: World) -> dict[str, str]:
    """Return the alerts of the shipped rules that the desk's facts leave firing, with their severity."""
    book = books_of(RulesConfig(watch=shipped_rules())).facts
    book.read_to(1, 0)
    now_ns = 0
    for fact in await world.store.read(stream=LEASE, limit=100_000):
        now_ns = fact.at_ns
        book.see(stream=fact.stream, kind=fact.kind, body=fact.body, pos=fact.pos + 1, now_ns=now_ns)
    return {alert.labels["alertname"]: alert.labels["severity"] for alert in book.evaluate(now_ns).alerts}


async def quarantine(world: World) -> None:
    """Let the venue take an order that rests, and tell nobody until its budget is spent."""
    await world.start(world.node("Turner", {"turns": "B"}, quarantine_s=BUDGET_S, ask_longest_s=1.0))
    world.fault("submit", Effect.NO_ANSWER)
    world.fault("report", Effect.DROPPED)
    for question in ("order", "trades", "open_orders"):
        world.fault(question, Effect.LOST, times=100_000)
    await world.quote("1.1000")
    await world.run(BUDGET_S + 1.0)


async def its_trade_comes_on_the_stream(world: World) -> None:
    await world.quote("1.0800")


async def the_query_finds_it(world: World) -> None:
    world.faults.clear()


async def it_ended_meanwhile(world: World) -> None:
    (order,) = world.venue.orders()
    world.venue.cancel(SYMBOL, order.cl_ord_id)


async def the_stream_tells_of_it(world: World) -> None:
    (order,) = world.venue.orders()
    world.nodes[-1].broker._deliver(order)


async def a_person_writes_it_off(world: World) -> None:
    (order,) = world.venue.orders()
    act = WriteOffRequested("paper", order.cl_ord_id, "Ada", "the venue shows nothing")
    await world.store.append([requested(act)], node="operator", fence=None)


@pytest.mark.parametrize(
    "settle",
    [
        its_trade_comes_on_the_stream,
        the_query_finds_it,
        it_ended_meanwhile,
        the_stream_tells_of_it,
        a_person_writes_it_off,
    ],
)
async def test_what_settles_the_order_ends_its_alert(
    tmp_path: Path, settle: Callable[[World], Awaitable[None]]
) -> None:
    async with await World.open(tmp_path) as world:
        await quarantine(world)
        assert ["quarantined"] == await world.order_states()
        assert "critical" == (await firing(world))["OrderQuarantined"]

        await settle(world)
        await world.run(3.0)

        assert "quarantined" not in await world.order_states()
        assert "OrderQuarantined" not in await firing(world)


async def test_an_unexplained_balance_pages_until_it_is_explained(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": ""}, compare_s=1.0))
        world.venue.transfer("EUR", Decimal(5))
        await world.run(4.0)
        assert {"AccountDoesNotAddUp": "critical"} == await firing(world)

        world.venue.transfer("EUR", Decimal(-5))
        await world.run(4.0)

        assert {} == await firing(world)


async def test_an_overfill_pages_and_is_flagged(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "b"}))
        await world.quote("1.1000")
        await world.run(0.2)
        order = world.venue._orders[world.venue.orders()[0].cl_ord_id]
        world.venue._open[order.new.cl_ord_id] = order
        world.venue._fill(order, Decimal(1), Decimal("1.1001"))
        await world.run(0.2)

        assert {"AccountDoesNotAddUp": "critical", "OrderFlagged": "warning"} == await firing(world)
