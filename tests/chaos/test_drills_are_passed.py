"""Drills as an operator runs them: every fault is named and repaired, and the judge finds nothing lost or doubled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Figures
from trading_orchestrator.cli.drill import LiveDesk, default_report, refuse_live
from trading_orchestrator.drills.catalogue import DRILLS, SHORT, DrillUnknown, drill_named
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.exercise import exercise_all
from trading_orchestrator.drills.report import percentiles, report
from trading_orchestrator.kernel.clock import SystemClock

pytestmark = pytest.mark.timeout(590)


@pytest.mark.parametrize(
    "names", [SHORT, pytest.param([drill.name for drill in DRILLS], marks=pytest.mark.long)], ids=["short", "all"]
)
def test_every_fault_is_named_and_repaired(tmp_path: Path, figures: Figures, names: Sequence[str]) -> None:
    drills: list[Drill] = [drill_named(name) for name in names]
    outcomes = exercise_all(drills, tmp_path, SystemClock(), orders_per_s=10, tell=lambda outcome: None)

    with figures():
        print(f"\n{report(drills, outcomes)}" if len(names) > len(SHORT) else f"\n{percentiles(outcomes)}")
    assert {} == {one.drill: one.wrongs for one in outcomes if not one.passed}
    assert (0, 0) == (sum(one.lost for one in outcomes), sum(one.doubled for one in outcomes))


def test_a_live_desk_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "live.toml"
    config.write_text(
        '[brokers.real]\nexchange = "binance"\nlive = true\napi_key = "k"\nsecret = "s"\n'
        '[trading.desk.main]\nbroker = "real"\nsymbols = ["EUR/USDT"]\n'
    )

    with pytest.raises(LiveDesk, match="desk main trades real money"):
        refuse_live(config)


def test_an_unknown_drill_names_the_nearest() -> None:
    with pytest.raises(DrillUnknown, match="kill-trader"):
        drill_named("kill-trade")


def test_a_report_is_kept_where_the_data_is(tmp_path: Path) -> None:
    config = tmp_path / "practice.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n')
    at_ns = 1_700_000_000_000_000_000

    assert Path("drill-reports/20231114T221320Z.md") == default_report(None, at_ns)
    assert tmp_path / "data" / "drill-reports" / "20231114T221320Z.md" == default_report(config, at_ns)


def test_the_report_names_what_failed() -> None:
    found = ("order x is at the venue and not in the journal",)
    failed = Outcome("kill-trader", "node.death", 1.1, 0.1, None, 0.0, 1, 0, found)

    told = report(DRILLS, [failed])

    assert (
        "| kill-trader | kill -9 of the node that trades | node.death | 1.10 s | 0.10 s | never | 0.00 s | 1 | 0 |"
        in told
    )
    assert "- kill-trader: FAILED: order x is at the venue and not in the journal" in told
