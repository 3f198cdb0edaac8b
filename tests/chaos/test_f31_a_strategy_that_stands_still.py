"""F31: the heartbeat goes on and a strategy stands still: it is noticed, begun anew, and the others trade meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
STILL = """
[[trading.desk.practice.strategies]]
name = "still"
class = "tests.chaos.still:Still"
params = {{ symbol = "EUR/USDT", when = "{when}", beats = "{beats}" }}
"""


@pytest.mark.long
def test_it_is_begun_anew_in_its_node(system: RunningSystem, venue: VenueProcess, root: Path) -> None:
    when, beats = system.folder / "stand-still", system.folder / "beats"
    system.strategies, system.more = 1, STILL.format(when=when, beats=beats)
    system.environ = os.environ | {"PYTHONPATH": str(root)}  # where the nodes find tests.chaos.still
    system.start()
    trader = system.wait_trading(60)
    wait_until(beats.exists, within_s=20, what="its first tick")
    when.touch()
    wait_until(lambda: not when.exists(), within_s=10, what="the strategy to see it")
    known, orders = beats.stat().st_size, system.orders_by(trader[1])

    wait_until(lambda: beats.stat().st_size > known, within_s=60, what="it to go on", every_s=0.1)
    wait_for_orders(system, trader[1], at_least=orders + 20)

    assert trader == system.holder()
    assert ("still", True) in restarts(system)
    settle_and_judge(system, venue, trades_on=False)


def restarts(system: RunningSystem) -> list[tuple[str, bool]]:
    """Return each strategy that was begun anew, and whether standing still was the reason."""
    rows = system.query(
        "SELECT json_extract(CAST(body AS TEXT), '$.strategy'), CAST(body AS TEXT) FROM facts "
        "WHERE kind = 'strategy.restarted'"
    )
    return [(str(name), "although something is due" in str(body)) for name, body in rows]
