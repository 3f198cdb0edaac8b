"""The whole system without its venue, or without a key that it takes: it serves, says so, and trades when it may."""

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

pytestmark = [pytest.mark.integration, pytest.mark.slow]
START_TIMEOUT_S = 6.0
ACCOUNT = "demo"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    account = f"{ACCOUNT}:demo-key:demo-secret:EUR=100000,USDT=100000"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="600")
    environ = os.environ | {"TRADING_ORCHESTRATOR_KEEPER__START_TIMEOUT_S": str(START_TIMEOUT_S)}
    system = RunningSystem(tmp_path, venue, environ=environ)
    try:
        yield system
    finally:
        if system.is_running():
            system.stop(within_s=20.0)
        venue.stop()


def asked(system: RunningSystem, path: str) -> Any:
    """Return the console's answer, or None while nobody gives one."""
    text = read(system, path)
    return json.loads(text) if text else None


def read(system: RunningSystem, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{system.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def open_incidents(system: RunningSystem) -> list[tuple[str, str]]:
    answer = asked(system, "/api/incidents") or {"incidents": []}
    return [(one["part"], one["failure"]) for one in answer["incidents"] if one["state"] not in ("resolved", "merged")]


def orders_at(venue: VenueProcess) -> int:
    return len(venue.log("order.accepted"))


def was_killed(system: RunningSystem) -> bool:
    said = system.log.read_text()
    return "killing it" in said or "was ended by" in said


@pytest.mark.long
@pytest.mark.waits
def test_f39_a_start_while_the_venue_is_away_serves_the_page_and_trades_when_it_comes(system: RunningSystem) -> None:
    system.venue.stop()
    system.start()
    wait_until(lambda: open_incidents(system), within_s=40, what="an incident", every_s=0.2)
    assert ("broker/practice", "broker.disconnected") in open_incidents(system)
    beyond_the_timeout = wait_until(lambda: nodes_older_than(system, START_TIMEOUT_S + 2), within_s=40, what="time")
    assert 2 == len(beyond_the_timeout)

    page = read(system, "/dashboard")
    assert "Nobody trades desk practice: it waits to start, and is tried again: its venue practice does not" in page
    assert [("broker/practice", "broker.disconnected")] == open_incidents(system)
    assert [] == system.ready_nodes()

    system.venue.start()
    system.wait_trading(within_s=40)
    wait_until(lambda: orders_at(system.venue), within_s=20, what="an order at the venue")
    wait_until(lambda: not open_incidents(system), within_s=20, what="the incident to be over", every_s=0.2)
    assert not was_killed(system), system.log.read_text()


def nodes_older_than(system: RunningSystem, seconds: float) -> list[int]:
    """Return the pids of the living nodes once all of them are that old."""
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    ticks = os.sysconf("SC_CLK_TCK")
    began = [
        (pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / ticks)
        for pid, _ in system.nodes()
    ]
    return [pid for pid, _ in began] if len(began) == 2 and all(uptime_s - at > seconds for _, at in began) else []


def test_f40_a_key_refused_at_a_takeover_leaves_the_console_up_and_the_desk_waiting(system: RunningSystem) -> None:
    system.start()
    trader, name = system.wait_trading()
    system.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": True})
    os.kill(trader, signal.SIGKILL)

    wait_until(
        lambda: ("broker/practice", "broker.key_revoked") in open_incidents(system),
        within_s=40,
        what="an incident of the key",
        every_s=0.2,
    )
    survivors = {node for _, node in system.nodes()} - {name}
    assert system.holder() is None
    wait_until(lambda: "refuses the key" in read(system, "/dashboard"), within_s=20, what="the page to say why")
    wait_until(lambda: len(system.nodes()) == 2, within_s=20, what="the keeper to replace the dead one")

    system.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": False})
    wait_until(system.holder, within_s=30, what="the desk to be taken")
    assert survivors <= {node for _, node in system.nodes()}, "the standby was not ended by the refusal"
    wait_until(
        lambda: [one["mode"] for one in asked(system, "/api/desks")["desks"]] == ["halted"],
        within_s=10,
        what="the desk to wait for a human",
    )
