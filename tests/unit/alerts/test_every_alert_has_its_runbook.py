"""The shipped rules: each says how bad, what and what to do; each has its runbook, and each runbook its rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

RULES = {rule.name: rule for rule in shipped_rules()}
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


def test_every_runbook_belongs_to_a_rule(root: Path) -> None:
    assert {path.stem for path in (root / "runbooks").glob("*.md")} == {rule.runbook for rule in RULES.values()}


def test_names_of_rules_and_of_runbooks_are_the_same_words() -> None:
    spelled = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in RULES}

    assert spelled == {name: rule.runbook for name, rule in RULES.items()}


def test_on_a_system_that_says_nothing_no_rule_fires() -> None:
    books = books_of(RulesConfig(watch=tuple(RULES.values())))
    evaluation = books.rules.evaluate(Samples(keep_ns=10**12), 10**15)

    assert [] == evaluation.alerts
    assert {} == evaluation.broken
