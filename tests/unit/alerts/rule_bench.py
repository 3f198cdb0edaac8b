"""Rules as an operator writes them, fed with samples on a virtual clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.rules.config import Books, RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook

S = 1_000_000_000
Sample = tuple[str, Mapping[str, str], float | None]


def books(*rules: Mapping[str, Any], **settings: float) -> Books:
    """Return the books of rules in their TOML form."""
    return books_of(msgspec.convert({"watch": list(rules), **settings}, RulesConfig))


def fired(rule: Mapping[str, Any], by_second: Mapping[int, Sequence[Sample]], at: Sequence[int]) -> list[list[str]]:
    """Return the names (and labels `part`, `slo`, `window` where given) of what fires at the given seconds."""
    book = books(rule).rules
    samples = book.samples()
    found = []
    for second in sorted({*by_second, *at}):
        for metric, labels, value in by_second.get(second, ()):
            samples.add(metric, labels, second * S, value)
        if second in at:
            book.evaluate(samples, second * S)
            found.append(firing(book))
    return found


def firing(book: RuleBook) -> list[str]:
    """Return what fires now, by name."""
    return sorted(
        one.labels["alertname"] + (f" {part}" if (part := one.labels.get("part", "")) else "")
        for alive in book.alive().values()
        for one in alive
        if one.active.state.value != "pending"
    )
