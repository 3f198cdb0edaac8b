"""F32 on a real venue: with a full disk no order leaves, what rests is canceled, and the journal learns of it later."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.desk.conftest import ACCOUNT, OPENING, Floor, until
from tests.integration.faults.injectors import small_disk
from tests.venue_process import VenueProcess
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

AFTER_S = 0.5
BUYER = "tests.unit.desk.strategies:Buyer"
FAR_BELOW = {"orders": 1000, "px": "1.0000", "qty": "10"}


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Path]:
    with small_disk(tmp_path / "disk", "4m") as mounted:
        yield mounted


@pytest.fixture
async def cramped(disk: Path, tmp_path: Path) -> AsyncIterator[Floor]:
    """A floor whose journal lies on the small disk; the venue's own log does not."""
    account = f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR={OPENING},USDT={OPENING}"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="2000")
    store = await open_store(disk / "journal.db", clock=SystemClock())
    floor = Floor(venue, store)
    try:
        yield floor
    finally:
        for desk in floor.desks:
            await desk.close()
        for held in floor.held:
            await held.abandon()
        await store.close()
        venue.stop()


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        file.write(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    return ballast


def orders(floor: Floor, *statuses: str) -> list[dict[str, Any]]:
    found = floor.venue.account_state(ACCOUNT)["orders"]
    return [order for order in found if not statuses or order["status"] in statuses]


async def test_no_order_leaves_and_what_rests_is_canceled_and_journaled_later(cramped: Floor, disk: Path) -> None:
    incarnation = Incarnation.hold(disk / "incarnations", "a-1", clock=SystemClock(), boot_id="0" * 36)
    notes = EmergencyNotes(disk / "incarnations", incarnation)
    desk = cramped.desk(BUYER, FAR_BELOW, notes=notes, emergency_cancel_after_s=AFTER_S, poll_orders_s=0.2)
    await desk.warm()
    await cramped.take(desk)

    async def rests() -> bool:
        return len(orders(cramped, "NEW")) >= 3

    async def has_failed() -> bool:
        return "the journal refused a fact" in desk.health().reason

    async def none_rests() -> bool:
        return not orders(cramped, "NEW", "PARTIALLY_FILLED")

    await until(rests, within_s=20, what="three orders rest")
    ballast = fill(disk)
    await until(has_failed, within_s=20, what="the journal refuses a fact")
    left = len(orders(cramped))
    await until(none_rests, within_s=10, what="everything is canceled")
    assert left == len(orders(cramped))
    noted = len(notes.noted())
    assert noted >= 3
    assert "emergency_cancel.sent" not in await cramped.kinds()

    ballast.unlink()
    await desk.leave(0)  # as the node does: its lease could not be renewed
    await desk.warm()
    await cramped.take(desk)

    async def agrees() -> bool:
        return not await cramped.differences()

    await until(agrees, within_s=20, what="venue and journal agree")
    assert noted == (await cramped.kinds()).count("emergency_cancel.sent")
    assert [] == notes.noted()
    await desk.leave(1.0)
    incarnation.close()
