"""A venue that is away for minutes costs no node and no order: a person is told, and its answer is the proof."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import COMMAND, RunningSystem, wait_until
from tests.venue_process import VenueProcess

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.long, pytest.mark.waits, pytest.mark.timeout(420)]
PART = "broker/practice"
PAGED_S = 100.0
STAYS_AWAY_S = 30.0


@dataclass(frozen=True)
class Outage:
    """How a venue goes away and comes back, and in which classes its incident may be."""

    leaves: Callable[[VenueProcess], object]
    returns: Callable[[VenueProcess], object]
    failures: tuple[str, ...]


OUTAGES = {
    "answers nothing": Outage(
        lambda venue: venue.signal(signal.SIGSTOP),
        lambda venue: venue.signal(signal.SIGCONT),
        ("broker.mute", "broker.disconnected"),
    ),
    "is not there": Outage(lambda venue: venue.kill(), lambda venue: venue.start(), ("broker.disconnected",)),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_everybody_stays_and_a_person_is_told(system: RunningSystem, venue: VenueProcess, outage: Outage) -> None:
    system.strategies, system.every_s = 1, 0.2
    system.start()
    trader = system.wait_trading(60)
    wait_for_orders(system, trader[1], at_least=20)
    nodes, began_pos = sorted(system.nodes()), system.last_pos()

    outage.leaves(venue)
    try:
        wait_until(lambda: told(system, "recovery.exhausted", began_pos), within_s=PAGED_S, what="a page", every_s=0.5)
        stays_so(system, trader, nodes)
        (opened,) = told(system, "incident.opened", began_pos)
        assert [] == told(system, "incident.resolved", began_pos)
    finally:
        outage.returns(venue)
    (proved,) = wait_until(
        lambda: told(system, "incident.resolved", began_pos), within_s=60, what="proof of the end", every_s=0.25
    )

    assert opened["failure"] in outage.failures
    assert opened["incident_id"] == proved["incident_id"]
    assert proved["proof"].startswith(f"{PART} reads healthy: ")
    assert (trader, nodes) == (system.holder(), sorted(system.nodes()))
    assert [] == [
        step["action"] for step in bodies(system, "recovery.step_started", began_pos) if "hand" in step["action"]
    ]
    resume(system)
    orders = system.orders_by(trader[1])
    wait_for_orders(system, trader[1], at_least=orders + 20)
    settle_and_judge(system, venue, trades_on=False)


def stays_so(system: RunningSystem, trader: tuple[int, str], nodes: list[tuple[int, str]]) -> None:
    """Watch for some more of the outage that nobody leaves, dies or comes."""
    seen: list[object] = []

    def look() -> bool:
        now = (system.holder(), sorted(system.nodes()))
        if now != (trader, nodes):
            seen.append(now)
        return False

    with pytest.raises(AssertionError, match="never"):
        wait_until(look, within_s=STAYS_AWAY_S, what="what never comes", every_s=0.5)
    assert [] == seen


def bodies(system: RunningSystem, kind: str, after_pos: int) -> list[dict[str, Any]]:
    rows = system.query("SELECT CAST(body AS TEXT) FROM facts WHERE kind = ? AND pos > ? ORDER BY pos", kind, after_pos)
    return [json.loads(body) for (body,) in rows]


def told(system: RunningSystem, kind: str, after_pos: int) -> list[dict[str, Any]]:
    """Return the facts of this kind about incidents of the venue."""
    ids = {each["incident_id"] for each in bodies(system, "incident.opened", after_pos) if each["part"] == PART}
    return [each for each in bodies(system, kind, after_pos) if each["incident_id"] in ids]


def resume(system: RunningSystem) -> None:
    """Say what the page asks a person to say."""
    command = [str(COMMAND), "desk", "resume", "practice", "--by", "ada", "--reason", "it is back"]
    subprocess.run([*command, "--data-dir", str(system.data_dir)], check=True, capture_output=True, timeout=30)
