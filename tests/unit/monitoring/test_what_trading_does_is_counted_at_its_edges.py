"""Orders, acknowledgements, fills, leases and streams are counted on their way; what the port does is unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.app.metering.store import metered_store
from trading_orchestrator.app.metering.venue import metered_broker
from trading_orchestrator.brokers.port import (
    Connected,
    NewOrder,
    NoAnswer,
    OrderReport,
    OrdType,
    Side,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.brokers.simulated.broker import SimulatedBroker
from trading_orchestrator.errors import Broken, OrchestratorError
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.storage.ports import Fact, FactStore, Fence, LeaseRow, NewFact, Put, StaleEpoch
from trading_orchestrator.trading.facts import OrderAccepted, OrderIntended

ORDER = NewOrder("to-1", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(5), Decimal("1.1"))
REPORT = OrderReport(
    "EUR/USDT",
    "to-1",
    "7",
    VenueStatus.NEW,
    Side.BUY,
    OrdType.LIMIT,
    Decimal(5),
    Decimal("1.1"),
    Decimal(0),
    1,
    "answer",
)
FENCE = Fence("desk/practice", 1)


class Store(EmptyStore):
    """Takes 20 ms of the clock for an append."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    async def append(self, *args: object, **kwargs: object) -> list[Fact]:
        await self._clock.sleep(0.02)
        return []

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        return LeaseRow(name, holder, 1, self._clock.boot_ns() + int(ttl_s * 1e9), "")

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        pass


class Mute(SimulatedBroker):
    """Answers no order and reports twice."""

    def __init__(self) -> None:
        pass

    async def submit(self, order: NewOrder) -> OrderReport:
        raise NoAnswer("nothing came")

    async def reports(self) -> AsyncIterator[OrderReport | TradeReport | Connected]:
        yield Connected(1)
        yield Connected(2)


def readings(meter: Meter) -> dict[str, float]:
    return {
        f"{family.name}{dict(reading.labels) or ''}": reading.value
        for family in meter.read()
        for reading in family.readings
    }


async def test_facts_become_counts_and_the_wait_for_an_acknowledgement_is_timed() -> None:
    clock, meter = VirtualClock(), Meter()
    store = metered_store(Store(clock), meter, clock)
    intended = OrderIntended(intent_id="i", generation=0, strategy="s", order=ORDER, reserved_notional=Decimal("5.5"))
    row = {"open_orders": 2, "unknown_orders": 1}

    first = asyncio.create_task(
        store.append(
            [NewFact("desk/practice", "order.intended", intended)],
            node="a",
            fence=FENCE,
            puts=[Put("desks", "practice", row)],
        )
    )
    await clock.advance(0.01)
    waiting = readings(meter)["trading_journal_appends_waiting"]
    await clock.advance(0.04)
    await first
    second = asyncio.create_task(
        store.append([NewFact("desk/practice", "order.accepted", OrderAccepted(report=REPORT))], node="a", fence=FENCE)
    )
    await clock.advance(0.02)
    await second

    found = readings(meter)
    assert 1 == waiting
    assert 1 == found["trading_orders_intended_total{'desk': 'practice'}"]
    assert 1 == found["trading_orders_acknowledged_total{'desk': 'practice'}"]
    assert 0.05 == pytest.approx(found["trading_order_acknowledged_seconds"])
    assert 0.04 == pytest.approx(found["trading_journal_append_seconds"])
    assert (2, 1) == (
        found["trading_desk_open_orders{'desk': 'practice'}"],
        found["trading_desk_unknown_orders{'desk': 'practice'}"],
    )
    assert 0 == found["trading_journal_appends_waiting"]


async def test_a_lease_shows_its_age_while_it_is_ours() -> None:
    clock, meter = VirtualClock(), Meter()
    store = metered_store(Store(clock), meter, clock)
    await store.claim_lease("desk/practice", holder="a", ttl_s=3)
    await clock.advance(0.75)
    held = readings(meter)
    await store.release_lease("desk/practice", holder="a", epoch=1)

    assert 0.75 == pytest.approx(held["trading_lease_age_seconds{'lease': 'desk/practice'}"])
    assert "trading_lease_age_seconds{'lease': 'desk/practice'}" not in readings(meter)


async def test_an_answer_that_is_none_is_counted_and_raised_and_a_stream_has_an_age() -> None:
    clock, meter = VirtualClock(), Meter()
    broker = metered_broker(Mute(), meter, clock, desk="practice")
    with pytest.raises(NoAnswer):
        await broker.submit(ORDER)
    heard = [report async for report in broker.reports()]
    await clock.advance(3.0)

    found = readings(meter)
    assert [Connected(1), Connected(2)] == heard
    assert 1 == found["trading_venue_failures_total{'call': 'submit', 'code': 'order.no_answer', 'desk': 'practice'}"]
    assert 3.0 == pytest.approx(found["trading_stream_age_seconds{'desk': 'practice', 'stream': 'reports'}"])
    assert 2 == found["trading_stream_events_total{'desk': 'practice', 'stream': 'reports'}"]


class Stolen(Store):
    """Takes rows of desks; the lease is another's when it is to be renewed."""

    def __init__(self, clock: VirtualClock, refusal: OrchestratorError | None = None) -> None:
        super().__init__(clock)
        self._refusal = refusal

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        if self._refusal is not None:
            raise self._refusal
        return LeaseRow(name, holder, epoch, self._clock.boot_ns() + int(ttl_s * 1e9), "")


OF_THE_DESK = {
    "trading_lease_age_seconds{'lease': 'desk/practice'}",
    "trading_desk_open_orders{'desk': 'practice'}",
    "trading_desk_unknown_orders{'desk': 'practice'}",
}


async def trading(store: FactStore) -> None:
    """Hold the desk's lease, and write its row."""
    await store.claim_lease("desk/practice", holder="a", ttl_s=3)
    row = Put("desks", "practice", {"open_orders": 2, "unknown_orders": 1})
    await store.append([], node="a", fence=FENCE, puts=[row])


@pytest.mark.parametrize("refusal", [StaleEpoch("another holds it"), Broken("the row is gone")])
async def test_a_lease_that_another_took_shows_nothing_more_of_its_desk(refusal: OrchestratorError) -> None:
    clock, meter = VirtualClock(), Meter()
    store = metered_store(Stolen(clock, refusal), meter, clock)
    working = asyncio.ensure_future(trading(store))
    await clock.advance(0.1)
    await working
    held = {*readings(meter)}
    with pytest.raises(type(refusal)):
        await store.renew_lease("desk/practice", holder="a", epoch=1, ttl_s=3)

    assert held >= OF_THE_DESK
    assert not OF_THE_DESK & {*readings(meter)}


async def test_a_lease_that_ran_out_unsaid_shows_nothing_more_until_it_is_held_again() -> None:
    clock, meter = VirtualClock(), Meter()
    store = metered_store(Stolen(clock), meter, clock)
    working = asyncio.ensure_future(trading(store))
    await clock.advance(0.1)
    await working
    await clock.advance(2.8)
    held = {*readings(meter)}
    await clock.advance(0.2)
    lost = {*readings(meter)}
    await store.claim_lease("desk/practice", holder="a", ttl_s=3)

    assert held >= OF_THE_DESK
    assert not OF_THE_DESK & lost
    assert OF_THE_DESK <= {*readings(meter)}


async def test_rows_of_a_desk_register_nothing_anew_while_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, meter = VirtualClock(), Meter()
    store = metered_store(Stolen(clock), meter, clock)
    watched: list[str] = []
    watch = meter.watch

    def noted(name: str, *args: Any, **more: Any) -> None:
        watched.append(name)
        watch(name, *args, **more)

    monkeypatch.setattr(meter, "watch", noted)

    async def written(open_orders: int) -> float:
        row = Put("desks", "practice", {"open_orders": open_orders, "unknown_orders": 0})
        writing = asyncio.ensure_future(store.append([], node="a", fence=FENCE, puts=[row]))
        await clock.advance(0.1)
        await writing
        return readings(meter)["trading_desk_open_orders{'desk': 'practice'}"]

    assert [3, 5, 4] == [await written(count) for count in (3, 5, 4)]
    assert ["trading_desk_open_orders", "trading_desk_unknown_orders"] == watched
    await store.release_lease("desk/practice", holder="a", epoch=1)
    assert not OF_THE_DESK & {*readings(meter)}
    assert 7 == await written(7)
