"""The budget against a real venue process: its limit is learnt, kept, and a ban is respected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.brokers.conftest import ACCOUNT, SYMBOL, config_for, hold
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.budget import Purpose, VenuePaused
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.port import NewOrder, OrderNotFound, OrdType, Side, VenueStatus
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock

LIMIT = 600


@pytest.fixture
def narrow_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    account = f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR=100000,USDT=100000"
    process = VenueProcess.start_new(tmp_path / "venue", account=[account], weight_limit=str(LIMIT))
    hold(process)
    yield process
    process.stop()


@pytest.fixture
async def narrow(narrow_venue: VenueProcess) -> CcxtBroker:
    broker = CcxtBroker(config_for(narrow_venue), clock=SystemClock())
    await broker.connect()
    return broker


def resting(cl_ord_id: str) -> NewOrder:
    return NewOrder(cl_ord_id, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(10), Decimal("1.05"))


async def test_a_thousand_questions_meet_no_refusal_and_a_cancel_passes_them(narrow: CcxtBroker) -> None:
    await narrow.submit(resting("tx-rest"))
    refused: list[OrchestratorError] = []

    async def ask(number: int) -> None:
        try:
            await narrow.order(SYMBOL, f"tx-none-{number}")
        except OrderNotFound:
            pass
        except OrchestratorError as error:
            refused.append(error)

    storm = [asyncio.create_task(ask(number)) for number in range(1000)]
    await asyncio.sleep(0.5)
    waiting = narrow.budget.state.waiting[Purpose.QUESTION]
    canceled = await asyncio.wait_for(narrow.cancel(SYMBOL, "tx-rest"), 20.0)  # behind the questions it would take 90 s

    state = narrow.budget.state
    assert (VenueStatus.CANCELED, []) == (canceled.status, refused)
    assert waiting > 600
    assert (LIMIT, True) == (state.per_min, state.told_used <= LIMIT)
    for task in storm:
        task.cancel()
    await asyncio.gather(*storm, return_exceptions=True)
    await narrow.close()


async def test_in_a_ban_nothing_is_asked_and_a_cancel_leaves_at_its_end(
    narrow: CcxtBroker, narrow_venue: VenueProcess
) -> None:
    clock = SystemClock()
    await narrow.submit(resting("tx-banned"))
    narrow_venue.fault("F8", status=418, retry_after_s=1)
    with contextlib.suppress(OrchestratorError):
        await narrow.balances()
    banned_ns = clock.monotonic_ns()

    with pytest.raises(VenuePaused):
        await narrow.balances()
    with pytest.raises(VenuePaused):
        await narrow.submit(resting("tx-later"))
    report = await narrow.cancel(SYMBOL, "tx-banned")

    assert VenueStatus.CANCELED == report.status
    assert clock.monotonic_ns() - banned_ns >= 0.9e9
    assert 1 == len(narrow_venue.log("fault.acted"))
    assert ["tx-banned"] == [fact["client_order_id"] for fact in narrow_venue.log("order.accepted")]
    await narrow.close()


async def test_what_a_second_client_uses_is_seen(narrow: CcxtBroker, narrow_venue: VenueProcess) -> None:
    other = CcxtBroker(config_for(narrow_venue), clock=SystemClock())
    await other.connect()

    async def seen() -> bool:
        for _ in range(3):
            await other.balances()
        await narrow.clock_offset_s()
        return narrow.budget.state.told_used >= 60

    assert await seen() or await seen()  # a new minute may begin once in between
    await other.close()
    await narrow.close()
