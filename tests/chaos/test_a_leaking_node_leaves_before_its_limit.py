"""F37: a leak of half a megabyte a second: its line is named, and its node hands over in order before the limit.

With the detector's default windows: two minutes pass before a young process is suspected. Only its respect for a late
loop is less, because the host of a test suite is busy. The drill `leak-memory` shows the same with shorter windows.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos.settling import settle_and_judge
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.drills import leaky
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader

LIMIT_BYTES = 300_000_000
SETTINGS = f"""
[perpetual_operations.resources]
node_memory_bytes = {LIMIT_BYTES}
[perpetual_operations.leaks]
trace_lag_s = 1.0
[[trading.desk.practice.strategies]]
name = "leaky"
class = "trading_orchestrator.drills.leaky:Leaky"
params = {{ symbol = "EUR/USDT", qty = "20", every_s = 0.1 }}
"""


def facts(system: RunningSystem, kind: str) -> list[tuple[str, dict[str, object]]]:
    """Return (node, body) of every fact of this kind."""
    rows = system.query("SELECT node, body FROM facts WHERE kind = ? ORDER BY pos", kind)
    return [(str(node), json.loads(bytes(body))) for node, body in rows]


def taken_by_another(system: RunningSystem, trader: str) -> list[tuple[str, dict[str, object]]]:
    """Return (node, body) of every claim of the desk by another node."""
    return [
        (node, body)
        for node, body in facts(system, "lease.claimed")
        if node != trader and body["lease"] == "desk/practice"
    ]


def nodes_in_history(system: RunningSystem, series: str) -> set[str]:
    """Return the nodes of which the history holds this series, living or not."""
    reader = HistoryReader(system.data_dir / "metrics.db")
    found = {line.node for line in reader.series() if line.name == series}
    reader.close()
    return found


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.waits
@pytest.mark.timeout(560)
def test_the_line_is_named_the_desk_is_handed_over_and_no_order_is_lost(
    system: RunningSystem, venue: VenueProcess
) -> None:
    system.strategies, system.more = 1, SETTINGS
    system.start()
    _, trader = system.wait_trading()

    def has_asked() -> bool:
        found = trader in {node for node, _ in facts(system, "memory.handover_asked")}
        assert found or trader in {node for _, node in system.nodes()}, system.log.read_text()[-3000:]
        return found

    wait_until(has_asked, within_s=400, what=f"{trader} to hand over", every_s=0.5)
    heir, move = wait_until(lambda: taken_by_another(system, trader), within_s=15, what="the standby to take the desk")[
        0
    ]

    source = Path(leaky.__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(source, 1) if "self.kept.append" in text)
    said = [str(body["sentence"]) for node, body in facts(system, "leak.judged") if node == trader]
    asked = next(body for node, body in facts(system, "memory.handover_asked") if node == trader)
    assert [True] == [f"{leaky.__file__}:{line} keeps" in each for each in said[-1:]]
    assert float(str(asked["level_bytes"])) < LIMIT_BYTES
    assert "handed_over" == move["succession"]
    assert {trader, heir} <= nodes_in_history(system, "process_rss_bytes")
    assert {trader} <= nodes_in_history(system, 'trading_orders_intended_total{desk="practice"}')
    settle_and_judge(system, venue, trades_on=False)
