"""The page says what fires: the worst first, what is taken or explained last and without a button."""

from __future__ import annotations

import re
from typing import Any

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.attention import Acknowledged, Snoozed
from trading_orchestrator.perpetual_operations.console.page.alerts import SHOWN, alert_list
from trading_orchestrator.perpetual_operations.console.verdict import judge
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport

WELL = HealthReport(0, HealthState.HEALTHY, "All well.", (), ())


def alert(name: str, severity: str, **more: Any) -> dict[str, Any]:
    return {
        "fingerprint": name.lower(),
        "name": name,
        "severity": severity,
        "state": "active",
        "labels": {"alertname": name, "severity": severity, "host": "<a>"},
        "annotations": {"summary": f"{name} is wrong.", "runbook": "what-to-do"},
        "starts_at_ns": 1_000,
        "silenced_by": (),
        "inhibited_by": (),
        "acknowledged": None,
        **more,
    }


TAKEN = alert("Taken", "critical", acknowledged=Acknowledged(fingerprint="taken", at_ns=1, by="anna"))
SILENCED = alert("Silenced", "warning", state="suppressed", silenced_by=("s",))


def test_nothing_stands_there_when_nothing_fires() -> None:
    assert "" == alert_list([], None)


def test_the_worst_comes_first_and_what_is_taken_last() -> None:
    shown = alert_list([TAKEN, SILENCED, alert("Slow", "warning"), alert("Dead", "critical")], None)

    assert ["Dead", "Slow", "Taken", "Silenced"] == re.findall(r"<b>(\w+)</b>", shown)
    assert ["dead", "slow"] == re.findall(r'data-acknowledge="(\w+)"', shown)
    assert "taken by anna" in shown
    assert "silenced" in shown
    assert "host &lt;a&gt;" in shown


def test_what_somebody_snoozed_says_so_and_can_still_be_taken() -> None:
    snoozed = Snoozed(fingerprint="later", at_ns=1, by="ben", until_ns=2)
    shown = alert_list([alert("Later", "critical", snoozed=snoozed)], None)

    assert "snoozed by ben" in shown
    assert ["later"] == re.findall(r'data-acknowledge="(\w+)"', shown)
    assert "All well." == judge(WELL, [], [], [], [alert("Later", "critical", snoozed=snoozed)]).sentence


def test_a_storm_does_not_fill_the_page() -> None:
    shown = alert_list([alert(f"A{number}", "warning") for number in range(SHOWN + 7)], None)

    assert SHOWN == shown.count("<li")
    assert "and 7 more" in shown


def test_the_verdict_names_what_fires_and_nobody_has_taken() -> None:
    assert "All well." == judge(WELL, [], [], [], [TAKEN, SILENCED, alert("Told", "info")]).sentence
    slow = judge(WELL, [], [], [], [TAKEN, alert("Slow", "warning")])
    assert (HealthState.DEGRADED, "A warning alert fires: Slow.") == (slow.state, slow.sentence)
    said = judge(WELL, [], [], [], [alert("Slow", "warning"), alert("Dead", "critical"), alert("Lost", "critical")])

    assert (HealthState.UNHEALTHY, "2 critical alerts fire: Dead, Lost.") == (said.state, said.sentence)
    assert ("A warning alert fires: Slow.",) == said.more


def test_each_alert_leads_to_its_runbook_and_can_be_linked_to() -> None:
    odd = alert("Odd", "warning", annotations={"runbook": '../"x'})
    shown = alert_list([alert("Dead", "critical"), odd, alert("None", "info", annotations={})], None)

    assert ["runbooks/what-to-do", "runbooks/..%2F%22x"] == re.findall(r'<a href="([^"]*)">runbook</a>', shown)
    assert ["alert-dead", "alert-odd", "alert-none"] == re.findall(r' id="([^"]*)"', shown)
