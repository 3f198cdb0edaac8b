"""The shipped rules: each says how bad, what and what to do; each has its runbook, and each runbook its rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trading_orchestrator.perpetual_operations.alerts import last_resort
from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples
from trading_orchestrator.watchdog import sending as watchdog

RULES = {rule.name: rule for rule in shipped_rules()}
TOLD_WITHOUT_A_RULE = {last_resort.NAME: last_resort.RUNBOOK, watchdog.NAME: watchdog.RUNBOOK}
SECTIONS = ["What the system does itself", "Look first", "Do", "Over when"]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_how_bad_what_and_where_to_read_on(root: Path, name: str) -> None:
    rule = RULES[name]
    runbook = root / "runbooks" / f"{rule.runbook}.md"

    assert rule.summary.endswith((".", "}}")), rule.summary
    assert runbook.is_file(), runbook
    text = runbook.read_text()
    assert f"# {name}" == text.splitlines()[0]
    assert f"Severity: {rule.severity}." in text
    assert SECTIONS == re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_every_runbook_belongs_to_an_alert(root: Path) -> None:
    told = {rule.runbook for rule in RULES.values()} | set(TOLD_WITHOUT_A_RULE.values())

    assert told == {path.stem for path in (root / "runbooks").glob("*.md")}


@pytest.mark.parametrize("name", TOLD_WITHOUT_A_RULE)
def test_what_is_told_without_a_rule_has_its_runbook_too(root: Path, name: str) -> None:
    text = (root / "runbooks" / f"{TOLD_WITHOUT_A_RULE[name]}.md").read_text()

    assert f"# {name}" == text.splitlines()[0]
    assert SECTIONS == re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_names_of_rules_and_of_runbooks_are_the_same_words() -> None:
    spelled = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in RULES}

    assert spelled == {name: rule.runbook for name, rule in RULES.items()}


def test_on_a_system_that_says_nothing_no_rule_fires() -> None:
    books = books_of(RulesConfig(watch=tuple(RULES.values())))
    evaluation = books.rules.evaluate(Samples(keep_ns=10**12), 10**15)

    assert [] == evaluation.alerts
    assert {} == evaluation.broken
