"""The running system: one node tells of alerts, and the other one goes on when that node is killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

LEASE = "ops/alerts"
ALERT = [{"labels": {"alertname": "Mine", "severity": "critical"}, "annotations": {"summary": "It is mine."}}]
LATER = [{"labels": {"alertname": "Mine", "severity": "critical", "host": "b"}}]
ALERTS = """
[perpetual_operations.alerts.route]
receiver = "log"
group_by = ["alertname"]
group_wait = 0
group_interval = 1
[perpetual_operations.alerts.receivers.log]
"""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    account = "demo:demo-key:demo-secret:EUR=100000,USDT=100000"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="600")
    system = RunningSystem(tmp_path, venue, strategies=0, more=ALERTS)
    system.start()
    try:
        yield system
    finally:
        system.stop(within_s=20.0)
        venue.stop()


def asked(system: RunningSystem, path: str, body: object = None) -> Any:
    """Return the console's answer, or None while nobody gives one."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{system.port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"true")
    except OSError:
        return None


def test_what_fires_goes_on_firing_and_is_told_once(system: RunningSystem) -> None:
    system.wait_trading()
    wait_until(lambda: asked(system, "/api/v2/alerts", ALERT), within_s=20, what="an alert to be taken")
    told = wait_until(lambda: delivered(system), within_s=20, what="its message to be delivered")
    holder = system.holder(LEASE)
    assert holder is not None
    os.kill(holder[0], signal.SIGKILL)

    answer = wait_until(lambda: asked(system, "/api/alerts"), within_s=20, what="another node to tell of alerts")
    assert ["Mine"] == [one["name"] for one in answer["alerts"] if one["name"] == "Mine"]
    heir = system.holder(LEASE)
    assert heir is not None
    assert holder != heir
    wait_until(lambda: asked(system, "/api/v2/alerts", LATER), within_s=20, what="another alert to be taken")
    after = wait_until(
        lambda: found if len(found := delivered(system)) > len(told) else [],
        within_s=20,
        what="the heir to have flushed the group",
    )
    assert told == after[1:]  # the newest is about what came later


def delivered(system: RunningSystem) -> list[str]:
    """Return the ids of the messages about our alert that arrived."""
    lines = (asked(system, "/api/alerts/history") or {"messages": []})["messages"]
    mine = [line for line in lines if line["about"] == {"alertname": "Mine"}]
    return [line["message_id"] for line in mine if line["outcome"] == "delivered"]
