"""Every alert case gives what Alertmanager, promtool and GoAlert gave, or differs only where the case allows it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import alert_comparison as compare
from tests.conformance.alert_escalation_driver import Ladder
from tests.conformance.alert_escalation_driver import differences as ladder_differences
from tests.conformance.alert_forgiveness import forgiven_calls, forgiven_checks, forgiven_messages
from tests.conformance.alert_rule_driver import states_of
from tests.conformance.alert_timeline_driver import Timeline, receivers_of

HERE = Path(__file__).parent
OWN = HERE / "alert_cases"
OUTSIDE = HERE.parents[2] / "shared" / "cases" / "alerts"
DEVIATIONS = HERE / "alert_deviations.json"
EXPECTATIONS = ("expect", "receivers", "alerts")
FORGIVING = {"wanted_instead", "version_sensitive"}
Case = Mapping[str, Any]


def files() -> Iterator[Path]:
    """The folder or file that ALERT_CASES names, else the outside cases when they are there; ours always."""
    named = os.environ.get("ALERT_CASES")
    for place in (Path(named) if named else OUTSIDE, OWN):
        yield from [place] if place.is_file() else sorted(place.glob("*.json"))


def cases(*kinds: str) -> list[Any]:
    found = [(file, json.loads(file.read_text())) for file in files()]
    return [
        pytest.param(case, id=f"{file.parent.name}-{case['id']}")
        for file, case in found
        if not kinds or case["kind"] in kinds
    ]


def judge_routing(case: Case) -> list[str]:
    reached = receivers_of(case)
    return [
        f"{check['labels']}: expected {check['receivers']}, was {found}"
        for check, found in zip(case["checks"], reached, strict=True)
        if check["receivers"] != found
    ]


def judge_timeline(case: Case) -> list[str]:
    expected = case["expect"]["notifications"]
    sent = Timeline(case).play()
    found = compare.differences(expected, sent)
    return [] if found and is_pinned(case, sent) and forgiven_messages(case, expected, sent) else found


def judge_rules(case: Case) -> list[str]:
    found = states_of(case)
    assert found == states_of(case, crash=True), "a fold before each evaluation gives another answer"
    shown = [[{"labels": labels, "state": state} for labels, state in states] for states in found]
    checks = case["checks"]
    wrong = [number for number, check in enumerate(checks) if in_order(check["alerts"]) != in_order(shown[number])]
    if wrong and forgiven_checks(case, wrong, shown):
        return []
    return [f"t={checks[number]['t']}: expected {checks[number]['alerts']}, was {shown[number]}" for number in wrong]


def judge_escalation(case: Case) -> list[str]:
    expected = case["expect"]["notifications"]
    sent = Ladder(case).play()
    found = ladder_differences(expected, sent)
    assert sent == Ladder(case, crash=True).play(), "a crash before each event gives another answer"
    return [] if found and forgiven_calls(case, expected, sent) else found


def in_order(alerts: list[Any]) -> list[Any]:
    return sorted(alerts, key=lambda alert: json.dumps(alert, sort_keys=True))


def is_pinned(case: Case, sent: list[Any]) -> bool:
    """Return whether we send what is pinned, in a case that we know to differ in."""
    pinned = json.loads(DEVIATIONS.read_text())["notifications"].get(case["id"])
    return pinned is None or not compare.differences(pinned, sent)


JUDGES: dict[str, Callable[[Case], list[str]]] = {
    "routing": judge_routing,
    "timeline": judge_timeline,
    "rules": judge_rules,
    "escalation": judge_escalation,
}


DRIVERS: dict[str, Callable[[Case], object]] = {
    "routing": receivers_of,
    "timeline": lambda case: Timeline(case).play(),
    "rules": states_of,
    "escalation": lambda case: Ladder(case).play(),
}


def nameless(case: Case) -> dict[str, Any]:
    """Return the case without its expectations and without anything by which it could be told from another."""
    needed = ("kind", "config", "events", "series", "checks", "horizon", "horizon_min")
    return {key: value for key, value in without_expectations(case).items() if key in needed}


def emptied(case: Case) -> dict[str, Any]:
    """Return the case with every list of what it expects there, and empty."""
    if "expect" in case:
        return {**case, "expect": {**case["expect"], "notifications": []}}
    return {**case, "checks": [{**check, _expects(check): []} for check in case["checks"]]}


def without_the_first(case: Case) -> dict[str, Any]:
    """Return the case without the first thing that it expects."""
    if "expect" in case:
        return {**case, "expect": {**case["expect"], "notifications": case["expect"]["notifications"][1:]}}
    checks = [dict(check) for check in case["checks"]]
    first = next((check for check in checks if check[_expects(check)]), None)
    if first is not None:
        first[_expects(first)] = first[_expects(first)][1:]
    return {**case, "checks": checks}


def _expects(check: Mapping[str, Any]) -> str:
    return next(key for key in EXPECTATIONS if key in check)


def expects_something(case: Case) -> bool:
    return case != emptied(case)


def without_expectations(case: Case) -> dict[str, Any]:
    bare = {key: value for key, value in case.items() if key not in EXPECTATIONS}
    if "checks" in case:
        checks = [{key: value for key, value in check.items() if key not in EXPECTATIONS} for check in case["checks"]]
        bare["checks"] = checks
    return bare


@pytest.mark.parametrize("case", cases())
def test_a_case_ends_as_expected(case: Case) -> None:
    assert [] == JUDGES[case["kind"]](case)


@pytest.mark.parametrize("case", cases())
def test_a_case_without_its_expectations_fails(case: Case) -> None:
    with pytest.raises(KeyError):
        JUDGES[case["kind"]](without_expectations(case))


@pytest.mark.parametrize("case", [one for one in cases() if expects_something(one.values[0])])
def test_a_case_with_empty_expectations_fails(case: Case) -> None:
    assert JUDGES[case["kind"]](emptied(case))


@pytest.mark.parametrize("case", [one for one in cases() if expects_something(one.values[0])])
def test_a_case_that_lacks_one_expectation_fails_unless_it_forgives_that_itself(case: Case) -> None:
    assert FORGIVING & case.keys() or JUDGES[case["kind"]](without_the_first(case))


def test_every_case_of_our_own_expects_something() -> None:
    own = [json.loads(file.read_text()) for file in OWN.glob("*.json")]

    assert [] == [case["id"] for case in own if not expects_something(case)]


@pytest.mark.parametrize("case", cases())
def test_a_driver_does_the_same_for_a_case_without_name_and_expectations(case: Case) -> None:
    driver = DRIVERS[case["kind"]]

    assert driver(case) == driver(nameless(case))


def test_no_driver_names_a_case() -> None:
    sources = "".join(file.read_text() for file in sorted(HERE.glob("alert_*.py")))
    names = [json.loads(file.read_text())["id"] for file in files()]

    assert [] == [name for name in names if name in sources]


def test_there_are_cases_of_our_own_of_every_kind() -> None:
    own = [json.loads(file.read_text())["kind"] for file in OWN.glob("*.json")]

    assert sorted(JUDGES) == sorted(set(own))


def test_the_cases_from_outside_are_among_them() -> None:
    if not os.environ.get("ALERT_CASES") and not OUTSIDE.is_dir():
        pytest.skip("no cases from outside beside this clone: only our own ran (ALERT_CASES names others)")

    assert set(files()) - set(OWN.glob("*.json"))


def test_every_pinned_deviation_stands_in_the_table_for_readers(root: Path) -> None:
    pinned = json.loads(DEVIATIONS.read_text())["notifications"]
    table = (root / "docs" / "alerts-conformance.md").read_text()

    assert [] == [name for name in pinned if f"| {name} |" not in table]
