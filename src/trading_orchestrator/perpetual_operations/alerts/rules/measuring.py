"""What a rule's conditions give now: label sets with values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, Op, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples, Series
from trading_orchestrator.perpetual_operations.alerts.rules.span import Span
from trading_orchestrator.perpetual_operations.alerts.rules.window import FUNCTIONS, mean, plain_sum

LabelKey = tuple[tuple[str, str], ...]
Values = dict[LabelKey, float]
HeldBefore = Callable[[LabelKey], bool]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_ACROSS: dict[str, Callable[[list[float]], float]] = {
    "sum": plain_sum,
    "min": min,
    "max": max,
    "avg": mean,
    "count": lambda values: float(len(values)),
}


WINDOW_SHARE, LOOKS_APART_NS = 400, 60_000_000_000


@dataclass(frozen=True)
class Remembered:
    """What a window gave at `at_ns`, good before `until_ns`."""

    at_ns: int
    until_ns: int
    number: int
    values: Values


Memo = dict[int, Remembered]


@dataclass(frozen=True)
class View:
    """Samples as seen from one instant.

    `memo` keeps what windows gave: one is looked at anew after a 400th of its length, at the latest after a minute.
    A window of an hour that is asked for each second costs a ninth by that, and its number is 9 s old at most.
    """

    samples: Samples
    now_ns: int
    lookback_ns: int
    memo: Memo = field(default_factory=dict)
    wall_ns: int | None = None

    @property
    def calendar_ns(self) -> int:
        """Return the wall clock's time, which values that name a time go by."""
        return self.now_ns if self.wall_ns is None else self.wall_ns


def holding(rule: Rule, view: View, held_before: HeldBefore) -> Values:
    """Return the label sets for which every condition of one list holds, with its first condition's value.

    `held_before` says for which labels the rule held at its last evaluation: those have until `clear`.
    """
    excluded = [_passing(condition, view, held_before) for condition in rule.unless]
    found: Values = {}
    for together in (rule.conditions, *rule.or_):
        first, *others = [_passing(condition, view, held_before) for condition in together]
        for labels, value in first.items():
            if all(labels in other for other in others) and not any(labels in other for other in excluded):
                found.setdefault(labels, value)
    return found


def measured(rule: Rule, view: View) -> set[LabelKey]:
    """Return the label sets of which a first condition's measure has a value, whatever it is."""
    firsts = [together[0].measure for together in (rule.conditions, *rule.or_)]
    return {labels for measure in firsts for labels in _measured(measure, view)}


def _passing(condition: Condition, view: View, held_before: HeldBefore) -> Values:
    values = _measured(condition.measure, view)
    if condition.compare is None:
        return values
    compare, clear = _COMPARE[condition.compare], condition.clear
    limit = {labels: condition.threshold if clear is None or not held_before(labels) else clear for labels in values}
    return {labels: value for labels, value in values.items() if compare(value, limit[labels])}


@cache  # a rule is asked every second, and its matchers never change
def _matchers(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    return parse_matchers(texts)


def _measured(measure: Measure, view: View) -> Values:
    where = _matchers(tuple(measure.where))
    if measure.function == "absent":
        return _absent(measure, where, view)
    found = _remembered(measure, where, view)
    if measure.only is not None:
        compare, threshold = _COMPARE[measure.only.compare], measure.only.threshold
        found = {labels: value for labels, value in found.items() if compare(value, threshold)}
    if measure.across is not None:
        found = _across(found, measure.by, _ACROSS[measure.across])
    return _combined(measure, found, view)


def _remembered(measure: Measure, where: tuple[Matcher, ...], view: View) -> Values:
    if measure.window is None:
        return _of_all(measure, where, view)
    known = view.memo.get(id(measure))
    if known is not None and known.at_ns <= view.now_ns < known.until_ns:
        return known.values
    number = len(view.memo) if known is None else known.number
    apart_ns = min(round(measure.window * 1e9) // WINDOW_SHARE, LOOKS_APART_NS)
    # Each at its own pace, a quarter shorter at most, so that not all are due in the same evaluation.
    apart_ns -= apart_ns * (number % 16) // 64
    values = _of_all(measure, where, view)
    view.memo[id(measure)] = Remembered(view.now_ns, view.now_ns + apart_ns, number, values)
    return values


def _of_all(measure: Measure, where: tuple[Matcher, ...], view: View) -> Values:
    found: Values = {}
    for series in view.samples.of(measure.metric, where):
        value = _of_series(measure, series, view)
        if value is not None:
            found[tuple(sorted(series.labels.items()))] = value
    return found


def _combined(measure: Measure, found: Values, view: View) -> Values:
    """Combine with the other measures: labels that one of them lacks are gone."""
    if measure.per is not None:
        per = _measured(measure.per, view)
        found = {labels: _ratio(value, per[labels]) for labels, value in found.items() if labels in per}
    if measure.minus is not None:
        minus = _measured(measure.minus, view)
        found = {labels: value - minus[labels] for labels, value in found.items() if labels in minus}
    return found if measure.scale == 1.0 else {labels: value * measure.scale for labels, value in found.items()}


def _of_series(measure: Measure, series: Series, view: View) -> float | None:
    if measure.function in FUNCTIONS:
        window_ns = round((measure.window or 0) * 1e9)
        span = Span(view.now_ns, window_ns, measure.horizon, measure.limit)
        return FUNCTIONS[measure.function](series.within(view.now_ns, window_ns), span)
    # An age is about the newest sample however old it is: a look-back would hide what is asked for.
    newest = series.newest(view.now_ns, None if measure.function == "age" else view.lookback_ns)
    if newest is None:
        return None
    at_ns, value = newest
    age_s = (view.now_ns - at_ns) / 1e9
    ages = {"age": age_s, "sample_age": age_s, "value_age": view.calendar_ns / 1e9 - value}
    return ages.get(measure.function, value)


def _absent(measure: Measure, where: Sequence[Matcher], view: View) -> Values:
    """Return 1 with the labels that were asked for by equality, when no series has a value."""
    for series in view.samples.of(measure.metric, tuple(where)):
        if measure.window is None and series.newest(view.now_ns, view.lookback_ns) is not None:
            return {}
        if measure.window is not None and series.within(view.now_ns, round(measure.window * 1e9)):
            return {}
    return {tuple(sorted((one.name, one.value) for one in where if one.op is Op.EQUAL and one.value)): 1.0}


def _across(found: Values, by: Sequence[str], make: Callable[[list[float]], float]) -> Values:
    groups: dict[LabelKey, list[float]] = {}
    for labels, value in found.items():
        groups.setdefault(tuple(pair for pair in labels if pair[0] in by), []).append(value)
    return {labels: make(values) for labels, values in groups.items()}


def _ratio(value: float, per: float) -> float:
    if per == 0:
        return float("nan") if value == 0 else value * float("inf")
    return value / per
