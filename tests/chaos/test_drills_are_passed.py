"""Drills as an operator runs them: every fault is noticed and repaired, and the judge finds nothing lost or doubled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trading_orchestrator.cli.drill import LiveDesk, refuse_live
from trading_orchestrator.drills.catalogue import DRILLS, SHORT, DrillUnknown, drill_named
from trading_orchestrator.drills.drill import Outcome
from trading_orchestrator.drills.exercise import exercise_all
from trading_orchestrator.drills.report import percentiles, report
from trading_orchestrator.kernel.clock import SystemClock

LONG = "DRILLS" in os.environ  # DRILLS=all make test; operators run `drill run all`


@pytest.mark.timeout(570)
def test_every_fault_is_noticed_and_repaired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drills = DRILLS if LONG else [drill_named(name) for name in SHORT]
    outcomes = exercise_all(drills, tmp_path, SystemClock(), orders_per_s=10, tell=lambda outcome: None)

    with capsys.disabled():
        print(f"\n{len(outcomes)} drills: {percentiles(outcomes)}")
    assert {} == {one.drill: one.wrongs for one in outcomes if not one.passed}


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


def test_the_report_names_what_failed() -> None:
    failed = Outcome("kill-trader", 0.1, None, 0.0, 1, 0, ("order x is at the venue and not in the journal",))

    told = report(DRILLS, [failed])

    assert "| kill-trader | kill -9 of the node that trades | 0.10 s | never | 0.00 s | 1 | 0 | FAILED |" in told
    assert "- kill-trader: order x is at the venue and not in the journal" in told
