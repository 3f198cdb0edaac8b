"""The newest reports of drills are kept, and what somebody put beside them."""

from __future__ import annotations

from pathlib import Path

from trading_orchestrator.cli.drill import REPORTS_KEPT, default_report, keep_newest

DAY_NS = 86_400_000_000_000


def test_the_oldest_reports_go_and_nothing_else(tmp_path: Path) -> None:
    names = [default_report(None, 1_700_000_000_000_000_000 + day * DAY_NS).name for day in range(REPORTS_KEPT + 2)]
    for name in (*names, "notes.md", "20231114.md"):
        (tmp_path / name).write_text("kept")

    keep_newest(tmp_path)

    assert {*names[2:], "notes.md", "20231114.md"} == {path.name for path in tmp_path.iterdir()}
