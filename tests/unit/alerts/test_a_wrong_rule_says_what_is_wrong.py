"""A rule that cannot work is refused at the start, by its name and the key that is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.alerts.rule_bench import books
from trading_orchestrator.perpetual_operations.alerts.rules.rule import RuleRefused

HIGH = {"kind": "threshold", "name": "Lag", "metric": "lag", "threshold": 100}
FACT = {"kind": "fact", "name": "Seen", "fact": "order.quarantined", "firing_for": 60}
BURN = {"kind": "burn_rate", "name": "Slo", "bad": "b", "total": "t", "objective": 0.99}


@pytest.mark.parametrize(
    ("rule", "name", "key"),
    [
        ({**HIGH, "name": ""}, "", "name"),
        ({**HIGH, "metric": ""}, "Lag", "metric"),
        ({**HIGH, "clear": 120}, "Lag", "clear"),
        ({**HIGH, "function": "rate"}, "Lag", "window"),
        ({**HIGH, "by": ["feed"]}, "Lag", "by"),
        ({**HIGH, "where": ["feed"]}, "Lag", "where"),
        ({**HIGH, "labels": {"a-b": "x"}}, "Lag", "labels.a-b"),
        ({**HIGH, "labels": {"a": "{{ x }}"}}, "Lag", "labels.a"),
        ({**HIGH, "summary": "{{ $valu }}"}, "Lag", "annotations.summary"),
        ({**FACT, "summary": "{{ $valu }}"}, "Seen", "annotations.summary"),
        ({**FACT, "fact": "quarantined"}, "Seen", "fact"),
        ({**FACT, "where": ['a=~"("']}, "Seen", "where"),
        ({**FACT, "for": 3}, "Seen", "for"),
        ({**FACT, "firing_for": 0}, "Seen", "firing_for"),
        ({**FACT, "by": ["stream", "sym-bol"]}, "Seen", "by"),
        ({**FACT, "annotations": {"a": "x" * 3_001}}, "Seen", "annotations"),
        ({**HIGH, "summary": "x" * 3_001}, "Lag", "annotations"),
        ({**BURN, "where": ["="]}, "SloBurns1h", "where"),
    ],
)
def test_it_names_rule_and_key(rule: dict[str, Any], name: str, key: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        books(rule)

    assert (name, key) == (refused.value.facts["rule"], refused.value.facts["key"])
    assert key in refused.value.message
    assert name in refused.value.message


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**HIGH, "kind": "treshold"}, "treshold"),
        ({**HIGH, "treshold": 1}, "treshold"),
        ({**HIGH, "for": -1}, "for"),
        ({**BURN, "objective": 99.9}, "objective"),
        ({**BURN, "burns": []}, "burns"),
        ({"kind": "predictive", "name": "x", "metric": "m", "limit": 1, "within": 60}, "window"),
    ],
)
def test_a_wrong_key_or_value_never_becomes_a_rule(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        books(rule)


def test_two_rules_of_one_name_are_refused_whatever_their_kinds() -> None:
    with pytest.raises(RuleRefused, match="Lag: name: two rules"):
        books(HIGH, {**FACT, "name": "Lag"})
