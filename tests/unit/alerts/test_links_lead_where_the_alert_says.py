"""A message leads to the incident it names, to a chart of what its rule measures, and to the runbook's page."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.alerts.post import alert, message
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.body import body_of
from trading_orchestrator.perpetual_operations.alerts.facts import Notified
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of

URL = "https://ops.example/"
OF_A_RULE = replace(alert("a", series="late", runbook="loop-lagging"), labels={"alertname": "Late", "node": "a-1"})


def labelled(**labels: str) -> Notified:
    one = alert("a")
    return replace(one, labels={**one.labels, **labels})


@pytest.mark.parametrize(
    ("told", "incident"),
    [
        (labelled(incident_id="01J/x"), "https://ops.example/incidents/01J%2Fx"),
        (alert("a", incident_id="01J"), "https://ops.example/incidents/01J"),
        (labelled(part="disk & host"), "https://ops.example/incidents?part=disk%20%26%20host"),
        (alert("a"), "https://ops.example/dashboard#alert-a"),
    ],
)
def test_the_incident_is_the_one_that_the_alert_names(told: Notified, incident: str) -> None:
    assert incident == links_of(told, URL)["incident"]


def test_the_chart_draws_the_metric_of_the_rule_on_the_node_of_the_alert() -> None:
    told = replace(labelled(node="a-1"), annotations={"series": "trading_loop_lag_seconds"})

    assert "https://ops.example/charts?series=trading_loop_lag_seconds&node=a-1" == links_of(told, URL)["chart"]
    assert "https://ops.example/charts?series=x%7By%7D" == links_of(alert("a", series="x{y}"), URL)["chart"]
    assert "https://p.example/graph" == links_of(replace(told, generator_url="https://p.example/graph"), URL)["chart"]


def test_the_runbook_is_a_page_where_readers_reach_the_console_and_a_file_where_not() -> None:
    assert "https://ops.example/runbooks/disk-full" == links_of(alert("a", runbook="disk-full"), URL)["runbook"]
    assert "runbooks/disk-full.md" == links_of(alert("a", runbook="disk-full"), "")["runbook"]
    assert "" == links_of(alert("a"), URL)["runbook"]


def test_an_alert_of_a_rule_names_what_it_measures_unless_the_rule_says_otherwise() -> None:
    above = Condition(measure=Measure(metric="late"), compare=">", threshold=0)
    rules = [
        Rule(name="Late", conditions=(above,)),
        Rule(name="Own", conditions=(above,), annotations={"series": "of_my_own"}),
    ]
    book = RuleBook(rules)
    samples = book.samples()
    samples.add("late", {}, 1, 5.0)
    told = book.evaluate(samples, 1).alerts

    assert {"Late": "late", "Own": "of_my_own"} == {one.labels["alertname"]: one.annotations["series"] for one in told}


def test_a_program_that_gets_the_json_gets_the_links_too() -> None:
    (told,) = msgspec.json.decode(body_of(message(alerts=[OF_A_RULE]), URL))["alerts"]

    assert "https://ops.example/charts?series=late&node=a-1" == told["generatorURL"]
    assert {
        "series": "late",
        "runbook": "loop-lagging",
        "incident_url": "https://ops.example/dashboard#alert-a",
        "runbook_url": "https://ops.example/runbooks/loop-lagging",
    } == told["annotations"]


def test_what_the_source_says_itself_stays_and_a_console_nobody_reaches_is_no_link() -> None:
    own = replace(
        alert("a", incident_url="https://i.example/1", runbook_url="https://r.example/2"), generator_url="https://g/3"
    )
    (theirs,) = msgspec.json.decode(body_of(message(alerts=[own]), URL))["alerts"]
    (unreached,) = msgspec.json.decode(body_of(message(alerts=[OF_A_RULE]), ""))["alerts"]

    assert ("https://g/3", own.annotations) == (theirs["generatorURL"], theirs["annotations"])
    assert ("", OF_A_RULE.annotations) == (unreached["generatorURL"], unreached["annotations"])
