"""A keeper and two nodes on a full disk: what rests is canceled, nobody is killed, and all goes on with room again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.injectors import small_disk
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

RESTING = """
[[trading.desk.practice.strategies]]
name = "rests"
class = "tests.unit.desk.strategies:Buyer"
params = { orders = 1000, px = "1.0000", qty = "10" }
"""
AFTER = "TRADING_ORCHESTRATOR_TRADING__DESK__PRACTICE__EMERGENCY_CANCEL_AFTER_S"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    """A system whose data directory is a disk of its own; venue and log are elsewhere."""
    folder = tmp_path / "system"
    folder.mkdir()
    account = "demo:demo-key:demo-secret:EUR=100000,USDT=100000"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="600")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3]), AFTER: "1.0"}
    with small_disk(folder / "data", "16m"):
        system = RunningSystem(folder, venue, strategies=0, more=RESTING, environ=environ, lease_ttl_s=1.5)
        system.start()
        try:
            yield system
        finally:
            system.stop(within_s=20.0)
            venue.stop()


def resting(system: RunningSystem) -> int:
    orders = system.venue.account_state("demo")["orders"]
    return sum(order["status"] in ("NEW", "PARTIALLY_FILLED") for order in orders)


def journaled(system: RunningSystem) -> int:
    return int(system.query("SELECT count(*) FROM facts WHERE kind = 'emergency_cancel.sent'")[0][0])


def test_what_rests_is_canceled_nobody_is_killed_and_the_journal_learns_of_it(system: RunningSystem) -> None:
    system.wait_trading()
    wait_until(lambda: resting(system) >= 3, within_s=30, what="three orders rest")
    before = system.nodes()
    ballast = system.data_dir / "ballast"
    with ballast.open("wb", buffering=0) as file:
        file.write(bytes(os.statvfs(system.data_dir).f_bavail * os.statvfs(system.data_dir).f_frsize))

    wait_until(lambda: not resting(system), within_s=60, what="everything is canceled")
    assert before == system.nodes()
    assert 0 == journaled(system)

    ballast.unlink()
    wait_until(lambda: journaled(system) >= 3, within_s=30, what="the cancels are journaled")
    wait_until(lambda: resting(system), within_s=30, what="the desk trades again")
    assert before == system.nodes()
    assert "Traceback" not in system.log.read_text()
