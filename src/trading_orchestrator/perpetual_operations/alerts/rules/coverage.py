"""Whether a rule's windows are covered by what is known: soon after a start, a part of a window may say anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trading_orchestrator.perpetual_operations.alerts.rules.exhaustion import COVERED_MIN
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule

FORECASTS = frozenset({"until_above", "until_below"})
GROWING = frozenset({"increase", "rate", "count", "changes", "resets", "max"})
SHRINKING = frozenset({"min"})
KEEPS_ORDER = frozenset({None, "sum", "max", "count"})


def measures_of(rule: Rule) -> Iterator[Measure]:
    """Yield every measure of the rule, those within others too."""
    for condition in rule.all_conditions():
        yield from _all_of(condition.measure)


def needed_ns(measure: Measure) -> int:
    """Return how much of the past the measure needs before its number means something; a forecast says so itself."""
    if measure.window is None:
        return 0
    share = COVERED_MIN if measure.function in FORECASTS else 1.0
    return round(measure.window * share * 1e9)


def covered_ns(rule: Rule, known_from_ns: Mapping[str, int]) -> int:
    """Return from when on all windows of the rule are covered, given from when on each metric is known."""
    ends = [known_from_ns[one.metric] + needed_ns(one) for one in measures_of(rule) if one.window is not None]
    return max(ends, default=0)


def may_begin(rule: Rule) -> bool:
    """Return whether what a part of its windows shows is enough to fire: the rest could only add to it.

    A counter that has grown too much within a part has grown too much. A share, a mean or a change may be anything.
    """
    return not rule.unless and all(_is_sure(condition) for condition in rule.all_conditions())


def _is_sure(condition: Condition) -> bool:
    measure = condition.measure
    if all(one.window is None for one in _all_of(measure)) or measure.function in FORECASTS:
        return True
    if measure.per is not None or measure.minus is not None or measure.only is not None or measure.scale < 0:
        return False
    if condition.compare in (">", ">="):
        return measure.function in GROWING and measure.across in KEEPS_ORDER
    return condition.compare in ("<", "<=") and measure.function in SHRINKING and measure.across in (None, "min")


def _all_of(measure: Measure) -> Iterator[Measure]:
    yield measure
    for other in (measure.per, measure.minus):
        if other is not None:
            yield from _all_of(other)
