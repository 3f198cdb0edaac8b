"""F29, F30, F31: a stop while the network is dead, and a strategy that keeps the loop, again and again."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
STUCK = """
[[trading.desk.practice.strategies]]
name = "stuck"
class = "tests.chaos.stuck:Stuck"
params = { symbol = "EUR/USDT", after = 40 }
"""
LEAVES_WITHIN_S = 8.0


def test_f29_a_stop_in_a_dead_network_ends_within_its_deadline(system: RunningSystem, venue: VenueProcess) -> None:
    system.start()
    _, node = system.wait_trading()
    wait_for_orders(system, node, at_least=50)
    venue.signal(signal.SIGSTOP)  # connections stay open and nothing comes back

    code, took_s = system.stop(within_s=20.0)
    print(f"\nstop in a dead network: {took_s:.1f} s")

    assert 0 == code
    assert took_s < LEAVES_WITHIN_S
    assert [] == system.nodes()
    venue.signal(signal.SIGCONT)
    settle_and_judge(system, venue, trades_on=False)


def test_f30_f31_a_strategy_that_keeps_the_loop_twice_stays_out(system: RunningSystem, venue: VenueProcess) -> None:
    """The heartbeat runs on the loop that the strategy keeps, so a node cannot look alive while it is stuck."""
    system.more = STUCK
    system.start()
    system.wait_trading()

    wait_until(
        lambda: len(bodies(system, "strategy.blamed")) == 2, within_s=60, what="two nodes ended for one strategy"
    )
    said = json.dumps(bodies(system, "desk.mode_changed")[-1])
    assert "reduce_only" in said
    assert "strategy stuck kept the loop of 2 nodes until they were ended" in said
    assert 2 == system.log.read_text().count("has not turned its event loop")

    _, node = system.wait_trading()
    denied = len(bodies(system, "order.denied"))
    wait_until(
        lambda: len(bodies(system, "order.denied")) > denied + 4, within_s=30, what="seconds of a desk that lives"
    )
    assert system.wait_trading()[1] == node
    assert 2 == len(bodies(system, "strategy.blamed"))
    settle_and_judge(system, venue, trades_on=False)


def bodies(system: RunningSystem, kind: str) -> list[dict[str, Any]]:
    rows = system.query("SELECT CAST(body AS TEXT) FROM facts WHERE kind = ? ORDER BY pos", kind)
    return [json.loads(str(body)) for (body,) in rows]
