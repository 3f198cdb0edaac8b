"""F29, F30, F31: a stop while the venue is frozen, and a strategy that keeps the loop, again and again."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.node_spec import incarnations_dir

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
STUCK = """
[[trading.desk.practice.strategies]]
name = "stuck"
class = "tests.chaos.stuck:Stuck"
params = {{ symbol = "EUR/USDT", when = "{when}" }}
"""
LEAVES_WITHIN_S = 8.0


@pytest.mark.long  # test_f29_a_stop_while_packets_vanish.py runs always
def test_f29_a_stop_beside_a_frozen_venue_ends_within_its_deadline(system: RunningSystem, venue: VenueProcess) -> None:
    system.start()
    _, node = system.wait_trading()
    wait_for_orders(system, node, at_least=50)
    venue.signal(signal.SIGSTOP)  # connections stay open and nothing comes back

    code, took_s = system.stop(within_s=20.0)
    print(f"\nstop beside a frozen venue: {took_s:.1f} s")

    assert 0 == code
    assert took_s < LEAVES_WITHIN_S
    assert [] == system.nodes()
    venue.signal(signal.SIGCONT)
    settle_and_judge(system, venue, trades_on=False)


@pytest.mark.long
def test_f30_f31_a_strategy_that_keeps_the_loop_twice_stays_out(
    system: RunningSystem, venue: VenueProcess, root: Path
) -> None:
    """The heartbeat runs on the loop that the strategy keeps, so a node cannot look alive while it is stuck."""
    when = system.folder / "get-stuck"
    system.more = STUCK.format(when=when)
    system.environ = os.environ | {"PYTHONPATH": str(root)}  # where the nodes find tests.chaos.stuck
    system.start()
    for times in (1, 2):
        system.wait_trading(60)
        when.touch()
        wait_for_blame(system, times)

    said = json.dumps(bodies(system, "desk.mode_changed")[-1])
    assert "reduce_only" in said
    assert "strategy stuck was at work when 2 nodes hung or crashed" in said
    assert 2 == system.log.read_text().count("has not turned its event loop")

    _, node = system.wait_trading(60)
    when.touch()  # nobody looks for it any more
    touched_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    wait_until(lambda: last_beat_ns(system, node) > touched_ns + 2_000_000_000, within_s=60, what="two seconds of life")
    assert (node, True) == (system.wait_trading(60)[1], when.exists())
    assert 2 == len(bodies(system, "strategy.blamed"))
    settle_and_judge(system, venue, trades_on=False)


@pytest.mark.long
def test_f30_a_strategy_that_ends_the_interpreter_twice_stays_out(
    system: RunningSystem, venue: VenueProcess, root: Path
) -> None:
    """The keeper notes how each node ended, so the crash loop does not travel; and an outside kill blames nobody."""
    when = system.folder / "crash"
    system.more = STUCK.format(when=when).replace("stuck:Stuck", "crashing:Crashing").replace("stuck", "crashing")
    system.environ = os.environ | {"PYTHONPATH": f"{root}/src:{root}"}
    system.start()
    for times in (1, 2):
        system.wait_trading(60)
        when.touch()
        wait_for_blame(system, times)

    said = json.dumps(bodies(system, "desk.mode_changed")[-1])
    assert "reduce_only" in said
    assert "strategy crashing was at work when 2 nodes hung or crashed" in said
    wait_until(
        lambda: "strategy.looping" in [body["failure"] for body in bodies(system, "incident.opened")],
        within_s=60,
        what="an incident that a person hears of",
    )

    pid, node = system.wait_trading(60)
    when.touch()  # nobody looks for it any more
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: system.wait_trading(60)[1] != node, within_s=60, what="another trader")
    assert when.exists()
    assert 2 == len(bodies(system, "strategy.blamed"))
    assert 2 == system.log.read_text().count("ended with code 3")
    settle_and_judge(system, venue, trades_on=False)


def wait_for_blame(system: RunningSystem, times: int) -> None:
    wait_until(lambda: len(bodies(system, "strategy.blamed")) == times, within_s=60, what=f"blame number {times}")


def last_beat_ns(system: RunningSystem, node: str) -> int:
    """Return the last sign of life of the node's loop, on the clock since boot."""
    words = [found.words for found in list_incarnations(incarnations_dir(system.data_dir)) if found.alive]
    return next((each.heartbeat_boot_ns for each in words if each.node == node), 0)


def bodies(system: RunningSystem, kind: str) -> list[dict[str, Any]]:
    rows = system.query("SELECT CAST(body AS TEXT) FROM facts WHERE kind = ? ORDER BY pos", kind)
    return [json.loads(str(body)) for (body,) in rows]
