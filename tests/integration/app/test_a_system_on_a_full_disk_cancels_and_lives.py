"""F32 for a keeper and two nodes: while nothing can be written, what rests is canceled and people hear of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.integration.app.hook import Hook, hook
from tests.integration.faults.injectors import small_disk
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

RESTING = """
[[trading.desk.practice.strategies]]
name = "rests"
class = "tests.unit.desk.strategies:Buyer"
params = { orders = 3, px = "1.0000", qty = "10" }
"""
ALERTS = """
[perpetual_operations.alerts.route]
receiver = "people"
[perpetual_operations.alerts.receivers.people]
channels = ["hook"]
[perpetual_operations.alerts.channels.hook]
kind = "webhook"
url = "{url}"
"""
LOCKED_S = 60.0
CANNOT_COMMIT = "JournalCannotCommit"
AFTER = "TRADING_ORCHESTRATOR_TRADING__DESK__PRACTICE__EMERGENCY_CANCEL_AFTER_S"


@pytest.fixture
def people() -> Iterator[Hook]:
    with hook() as people:
        yield people


@pytest.fixture
def system(tmp_path: Path, people: Hook) -> Iterator[RunningSystem]:
    """It writes without a pause, and three orders rest. Its data directory is a disk of its own."""
    folder = tmp_path / "system"
    folder.mkdir()
    account = "demo:demo-key:demo-secret:EUR=100000,USDT=100000"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="600")
    more = RESTING + ALERTS.format(url=people.url)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3]), AFTER: "1.0"}
    with small_disk(folder / "data", "16m"):
        system = RunningSystem(folder, venue, every_s=0.05, more=more, environ=environ)
        system.start()
        try:
            yield system
        finally:
            system.stop(within_s=20.0)
            venue.stop()


def resting(system: RunningSystem) -> int:
    orders = system.venue.account_state("demo")["orders"]
    return sum(order["status"] in ("NEW", "PARTIALLY_FILLED") for order in orders)


def accepted(system: RunningSystem) -> int:
    return len(system.venue.log("order.accepted"))


def journaled(system: RunningSystem) -> int:
    return int(system.query("SELECT count(*) FROM facts WHERE kind = 'emergency_cancel.sent'")[0][0])


def test_what_rests_is_canceled_nobody_is_killed_and_people_hear_of_it(system: RunningSystem, people: Hook) -> None:
    system.wait_trading()
    wait_until(lambda: has_console_apart(system), within_s=30, what="the console on the node that does not trade")
    wait_until(lambda: resting(system) >= 3, within_s=30, what="three orders rest")
    before = system.nodes()
    ballast = system.data_dir / "ballast"
    with ballast.open("wb", buffering=0) as file:
        file.write(bytes(os.statvfs(system.data_dir).f_bavail * os.statvfs(system.data_dir).f_frsize))

    wait_until(lambda: not resting(system), within_s=60, what="everything is canceled")
    assert before == system.nodes()
    (status, summary), *_ = wait_until(lambda: people.told_of(CANNOT_COMMIT), within_s=90, what="people to be told")
    assert ("firing", True) == (status, "disk is full" in summary), summary

    taken = accepted(system)
    ballast.unlink()
    wait_until(lambda: journaled(system) >= 3, within_s=30, what="the cancels are journaled")
    wait_until(lambda: accepted(system) > taken, within_s=30, what="the desk trades again")
    wait_until(lambda: "resolved" == people.told_of(CANNOT_COMMIT)[-1][0], within_s=30, what="people to hear the end")
    said = system.log.read_text()
    assert ("Traceback" not in said, "ending that process" not in said) == (True, True)


@pytest.mark.long
@pytest.mark.waits
@pytest.mark.timeout(300)
def test_a_journal_that_another_program_locks_for_a_minute(system: RunningSystem, people: Hook) -> None:
    system.wait_trading()
    wait_until(lambda: has_console_apart(system), within_s=30, what="the console on the node that does not trade")
    wait_until(lambda: resting(system) >= 3, within_s=30, what="three orders rest")
    before = system.nodes()
    with closing(apsw.Connection(str(system.journal))) as other:
        other.set_busy_timeout(10_000)
        other.execute("BEGIN IMMEDIATE")
        locked_at = time.monotonic()
        wait_until(lambda: not resting(system), within_s=60, what="everything is canceled")
        (status, summary), *_ = wait_until(lambda: people.told_of(CANNOT_COMMIT), within_s=60, what="people to be told")
        assert ("firing", True) == (status, "locked" in summary), summary
        wait_until(lambda: time.monotonic() - locked_at > LOCKED_S, within_s=90, what="a minute to pass", every_s=0.5)
        assert (0, before) == (resting(system), system.nodes())
        taken = accepted(system)
        other.execute("ROLLBACK")

    wait_until(lambda: accepted(system) > taken, within_s=30, what="the desk trades again")
    wait_until(lambda: journaled(system) >= 3, within_s=30, what="the cancels are journaled")
    wait_until(lambda: "resolved" == people.told_of(CANNOT_COMMIT)[-1][0], within_s=30, what="people to hear the end")


def has_console_apart(system: RunningSystem) -> bool:
    """Who serves the console tells people; while it changes hands, it would be nobody (docs/what-happens-when.md)."""
    console, desk = system.holder("console"), system.holder()
    return console is not None and desk is not None and console != desk
