"""A soak as an operator starts it, for less than a minute: load, a drill, every line measured, a report, exit 0."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.running_system import COMMAND
from trading_orchestrator.drills.catalogue import DRILLS
from trading_orchestrator.drills.soak import drill_number

SEED, HOURS = 6, 0.008
"""Its first drill kills the trader: what the soak measures must follow the processes that come and go."""
MEASURED = ("rss MB", "pss MB", "descriptors", "threads", "tasks", "wal MB", "disk MB")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_it_trades_drills_measures_and_passes(tmp_path: Path) -> None:
    assert "kill-trader" == drill_number(0, SEED, [drill for drill in DRILLS if not drill.more]).name
    report = tmp_path / "soak.md"
    words = ["--hours", str(HOURS), "--seed", str(SEED), "--orders-per-s", "10", "--drill-every-s", "20"]
    command = [str(COMMAND), "soak", *words, "--keep", str(tmp_path / "kept"), "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False)

    told = report.read_text()
    assert (0, "") == (done.returncode, "\n".join(line for line in done.stdout.splitlines() if "BROKEN" in line))
    assert "- drill kill-trader: passed" in told
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("| ")]
    assert set(MEASURED) <= {row[1] for row in rows}
    nodes = {row[0].partition("-")[0] for row in rows if row[1] == "rss MB"}
    assert {"keeper", "a", "b"} == nodes
    assert 3 <= sum(row[1] == "rss MB" and row[0] != "keeper" for row in rows)  # the two at the start, and an heir
