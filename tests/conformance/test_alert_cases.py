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
from tests.conformance.alert_rule_driver import states_of
from tests.conformance.alert_timeline_driver import Timeline, receivers_of

HERE = Path(__file__).parent
OWN = HERE / "alert_cases"
OUTSIDE = HERE.parents[2] / "shared" / "cases" / "alerts"
DEVIATIONS = HERE / "alert_deviations.json"
EXPECTATIONS = ("expect", "receivers", "alerts")
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
    return [] if found and is_allowed(case, expected, sent) else found


def judge_rules(case: Case) -> list[str]:
    found = states_of(case)
    assert found == states_of(case, crash=True), "a fold before each evaluation gives another answer"
    wrong = [
        f"t={check['t']}: expected {check['alerts']}, was {shown}"
        for check, states in zip(case["checks"], found, strict=True)
        if in_order(check["alerts"])
        != in_order(shown := [{"labels": labels, "state": state} for labels, state in states])
    ]
    return [] if "version_sensitive" in case and len(wrong) <= 1 else wrong


def judge_escalation(case: Case) -> list[str]:
    expected = case["expect"]["notifications"]
    sent = Ladder(case).play()
    found = ladder_differences(expected, sent)
    assert sent == Ladder(case, crash=True).play(), "a crash before each event gives another answer"
    if found and "wanted_instead" in case:
        return [] if not ladder_differences(expected, sent[: len(expected)]) else found
    return found


def in_order(alerts: list[Any]) -> list[Any]:
    return sorted(alerts, key=lambda alert: json.dumps(alert, sort_keys=True))


def is_allowed(case: Case, expected: list[Any], sent: list[Any]) -> bool:
    """Return whether the case itself allows the difference: told elsewhen, or told more or less often, never other.

    What we send instead is pinned for every case we know.
    """
    pinned = json.loads(DEVIATIONS.read_text())["notifications"].get(case["id"])
    if pinned is not None and compare.differences(pinned, sent):
        return False
    if "wanted_instead" in case:
        return compare.is_part_of(expected, sent) or compare.is_part_of(sent, expected)
    if "version_sensitive" in case:
        return [compare.content(one) for one in expected] == [compare.content(one) for one in sent]
    return False


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
