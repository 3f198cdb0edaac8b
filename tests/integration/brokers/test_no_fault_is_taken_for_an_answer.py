"""Whatever happens to an answer, the broker says no more than was proven (F1–F4, F7, F8, F17)."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.brokers.conftest import SYMBOL, accepted, config_for
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.port import NewOrder, NoAnswer, OrdType, Side, VenueStatus
from trading_orchestrator.errors import OrchestratorError, Transient, Unknown
from trading_orchestrator.kernel.clock import SystemClock


def resting(cl_ord_id: str) -> NewOrder:
    return NewOrder(cl_ord_id, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(10), Decimal("1.00000"))


ACCEPTED_WITHOUT_A_GOOD_ANSWER: list[dict[str, Any]] = [
    {"fault": "F1"},
    {"fault": "F2"},
    {"fault": "F3"},
    {"fault": "F3", "status": 504, "code": -1007},
    {"fault": "F3", "status": 408, "code": -1007},
    {"fault": "F3", "status": 500, "code": -2010},
    {"fault": "F3", "effect": "html"},
    {"fault": "F3", "effect": "empty"},
    {"fault": "F3", "effect": "truncate"},
    {"fault": "F3", "effect": "cut_short"},
]


@pytest.mark.parametrize("fault", ACCEPTED_WITHOUT_A_GOOD_ANSWER, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_a_ghost_is_unknown_and_then_found(venue: VenueProcess, fault: dict[str, Any]) -> None:
    broker = CcxtBroker(config_for(venue, timeout_s=0.5), clock=SystemClock())
    await broker.connect()
    name = f"tx-{'-'.join(str(value) for value in fault.values())}"
    venue.fault(client_order_id=name, **fault)

    with pytest.raises(NoAnswer):
        await broker.submit(resting(name))
    found = await broker.order(SYMBOL, name)

    assert (1, VenueStatus.NEW, name) == (accepted(venue, name), found.status, found.cl_ord_id)
    await broker.close()


async def test_a_reset_before_the_venue_looked_is_unknown_too(venue: VenueProcess, broker: CcxtBroker) -> None:
    venue.fault("F4", client_order_id="tx-f4")

    with pytest.raises(NoAnswer):
        await broker.submit(resting("tx-f4"))

    assert 0 == accepted(venue, "tx-f4")


@pytest.mark.parametrize(
    ("fault", "wait_s"),
    [({}, 1.0), ({"status": 418, "retry_after_s": 120}, 120.0), ({"status": 400, "code": -1021}, 1.0)],
)
async def test_what_the_venue_refused_to_read_may_be_tried_again(
    venue: VenueProcess, broker: CcxtBroker, fault: dict[str, Any], wait_s: float
) -> None:
    venue.fault("F8", client_order_id="tx-f8", **fault)

    with pytest.raises(Transient) as refused:
        await broker.submit(resting("tx-f8"))

    assert (wait_s, 0) == (refused.value.retry_after_s, accepted(venue, "tx-f8"))


async def test_a_cancel_without_an_answer_is_unknown_and_was_done(venue: VenueProcess) -> None:
    broker = CcxtBroker(config_for(venue, timeout_s=0.5), clock=SystemClock())
    await broker.submit(resting("tx-f17"))
    venue.fault("F17", client_order_id="tx-f17")

    with pytest.raises(Unknown):
        await broker.cancel(SYMBOL, "tx-f17")

    assert VenueStatus.CANCELED is (await broker.order(SYMBOL, "tx-f17")).status
    await broker.close()


async def test_a_failing_query_is_not_a_not_found(venue: VenueProcess, broker: CcxtBroker) -> None:
    venue.fault("F7", client_order_id="tx-never")

    with pytest.raises(NoAnswer):
        await broker.order(SYMBOL, "tx-never")


@pytest.mark.parametrize("ask", ["open_orders", "trades", "balances"])
async def test_an_empty_200_is_no_empty_list(venue: VenueProcess, broker: CcxtBroker, ask: str) -> None:
    calls = {"open_orders": [SYMBOL], "trades": SYMBOL}
    venue.fault(effect="empty", call="*")

    with pytest.raises(NoAnswer):
        await getattr(broker, ask)(*([calls[ask]] if ask in calls else []))


async def test_a_cancelled_submit_stays_cancelled(venue: VenueProcess, broker: CcxtBroker) -> None:
    venue.fault("F1", client_order_id="tx-cancelled")
    task = asyncio.create_task(broker.submit(resting("tx-cancelled")))
    while not accepted(venue, "tx-cancelled"):
        await SystemClock().sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert VenueStatus.NEW is (await broker.order(SYMBOL, "tx-cancelled")).status


async def test_a_venue_that_is_not_there_was_sent_nothing(own_venue: VenueProcess) -> None:
    broker = CcxtBroker(config_for(own_venue), clock=SystemClock())
    await broker.connect()
    own_venue.kill()

    # The pooled connections die with the venue; an order that meets one of them is unknown, the next one is not.
    outcomes = []
    for number in range(6):
        try:
            await broker.submit(resting(f"tx-{number}"))
        except OrchestratorError as error:
            outcomes.append(type(error).__mro__[1])

    assert {Unknown, Transient} >= set(outcomes)
    assert Transient is outcomes[-1]
    await broker.close()


async def test_the_log_at_its_chattiest_holds_neither_key_nor_signature(
    venue: VenueProcess, broker: CcxtBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    await broker.submit(resting("tx-logged"))
    await broker.balances()

    assert [] == [each.getMessage() for each in caplog.records if "signature" in each.getMessage()]
    assert "alice" not in caplog.text


async def test_errors_hold_neither_key_nor_signature(venue: VenueProcess, broker: CcxtBroker) -> None:
    texts = []
    for fault in ({"fault": "F2"}, {"fault": "F3"}, {"fault": "F8"}):
        venue.fault(**fault, client_order_id="tx-told")
        with pytest.raises(OrchestratorError) as caught:
            await broker.submit(resting("tx-told"))
        error = caught.value
        texts.append(f"{error!r} {error.facts} {error.__cause__!r} {error.__context__!r}")

    assert [] == [text for text in texts if "signature" in text or "alice" in text]
