"""isolation = "process": the desk trades on its own node, is taken over while that is gone, and goes home again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.keeper.cpu_quota import ceiling_of

OWN_DESK = {
    "TRADING_ORCHESTRATOR_TRADING__DESK__PRACTICE__ISOLATION": "process",
    "TRADING_ORCHESTRATOR_TRADING__DESK__PRACTICE__NICE": "5",
    "TRADING_ORCHESTRATOR_TRADING__DESK__PRACTICE__CPU_MAX_RATIO": "0.9",
}


def trades_at_home(system: RunningSystem) -> bool:
    holder = system.holder()
    return holder is not None and holder[1].startswith("own0-")


@pytest.mark.long
def test_it_is_taken_over_and_handed_home(system: RunningSystem, venue: VenueProcess) -> None:
    system.environ, system.nodes_ready, system.strategies, system.every_s = os.environ | OWN_DESK, 3, 1, 0.1
    system.start()
    pid, home = system.wait_trading()
    assert trades_at_home(system)
    assert 5 == os.getpriority(os.PRIO_PROCESS, pid)
    assert (0.9 if "has no CPU ceiling here" not in system.log.read_text() else None) == ceiling_of(pid)
    unlimited = [home] if ceiling_of(pid) is None else []
    assert unlimited == [node for (node,) in system.query("SELECT node FROM facts WHERE kind = 'node.unlimited'")]
    wait_for_orders(system, home, at_least=20)

    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (system.holder() or (0, home))[1] != home, within_s=10, what="another node to trade the desk")
    wait_until(lambda: trades_at_home(system), within_s=20, what="the desk to go home")
    _, again = system.wait_trading()

    assert again != home
    wait_for_orders(system, again, at_least=20)
    settle_and_judge(system, venue)
