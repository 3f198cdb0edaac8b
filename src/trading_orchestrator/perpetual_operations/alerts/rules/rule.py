"""A rule: from a measured number to an alert, in fields that are checked at the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.labels import is_label_name
from trading_orchestrator.perpetual_operations.alerts.matchers import MatcherRefused, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.rules.template import TemplateRefused, check_template

Function = Literal[
    "last", "absent", "age", "sample_age", "value_age",
    "avg", "min", "max", "sum", "count", "last_seen",
    "rate", "increase", "delta", "instant_rate", "slope", "forecast", "changes", "resets",
    "until_above", "until_below",
]  # fmt: skip
WINDOWED = frozenset(
    {
        "avg", "min", "max", "sum", "count", "last_seen",
        "rate", "increase", "delta", "instant_rate", "slope", "forecast", "changes", "resets",
        "until_above", "until_below",
    }
)  # fmt: skip
TEXTS_LEN_MAX = 3_000  # of its labels, and of its annotations; an alert has room for more, which the holes may need
Compare = Literal[">", ">=", "<", "<=", "==", "!="]
Across = Literal["sum", "avg", "min", "max", "count"]


class RuleRefused(Refused):
    """A rule cannot be used as written. Facts: rule, key."""

    code = "alerts.rule_refused"


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Takes only the series whose value compares so."""

    compare: Compare
    threshold: float


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number for each series of a metric.

    metric, where: the series; `where` holds matchers.
    function: `last` is the newest value; `absent` is 1 when there is none; `age` the seconds since the newest
        sample however old, `sample_age` the same within the look-back, `value_age` the seconds since the time that
        the value names; all others look at a window, `forecast` from it to `horizon` ahead; `until_above` and
        `until_below` are the seconds until a robust line through it reaches `limit`, infinite when it never does.
    window, horizon: seconds.
    across, by: one number for each combination of the labels in `by`, made of all series that share it.
    only: which of the series count, by their values.
    per, minus: divides by, or takes away, another measure of the same labels.
    scale: multiplies the result, e.g. 100 for percent.
    """

    metric: str
    where: tuple[str, ...] = ()
    function: Function = "last"
    window: Annotated[float, Meta(gt=0)] | None = None
    horizon: float = 0.0
    limit: float = 0.0
    across: Across | None = None
    by: tuple[str, ...] = ()
    only: Filter | None = None
    per: Measure | None = None
    minus: Measure | None = None
    scale: float = 1.0


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A measure that passes its threshold.

    compare, threshold: None compares with nothing: that the measure has a value is enough.
    clear: once it held, it holds until the value is back at or beyond this one (hysteresis).
    """

    measure: Measure
    compare: Compare | None = None
    threshold: float = 0.0
    clear: float | None = None


Conditions = Annotated[tuple[Condition, ...], Meta(min_length=1)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When all conditions hold for the same labels, there is an alert with the labels and value of the first one.

    or_: other lists of conditions, of which each does as well; the first that holds gives the value.
    unless: conditions of which none may hold for these labels.
    for_: seconds it must hold before it fires (pending until then).
    keep_firing_for: seconds it goes on firing after it held last.
    labels, annotations: texts with `{{ $value }}` and `{{ $labels.name }}`.
    """

    name: str
    conditions: Conditions
    or_: tuple[Conditions, ...] = msgspec.field(default=(), name="or")
    unless: tuple[Condition, ...] = ()
    for_: Annotated[float, Meta(ge=0)] = msgspec.field(default=0.0, name="for")
    keep_firing_for: Annotated[float, Meta(ge=0)] = 0.0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    def all_conditions(self) -> Iterator[Condition]:
        """Yield every condition, those of `unless` last."""
        for together in (self.conditions, *self.or_, self.unless):
            yield from together


def check_rule(rule: Rule) -> Rule:
    """Return the rule if it can be used.

    Raises:
        RuleRefused: the sentence names rule and key.
    """
    if not rule.name:
        raise RuleRefused("a rule needs a name", rule="", key="name")
    check_texts(rule.name, rule.labels, rule.annotations)
    for condition in rule.all_conditions():
        _check_measure(rule, condition.measure)
        _check_clear(rule, condition)
    return rule


def check_texts(rule: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    """Refuse a label's impossible name, a text with a hole that cannot be filled, and texts that are too long."""
    for key, texts in (("labels", labels), ("annotations", annotations)):
        if (size := sum(map(len, texts.values()))) > TEXTS_LEN_MAX:
            raise refused(rule, key, f"expected at most {TEXTS_LEN_MAX} characters in all texts, was {size}")
    for key, texts in (("labels", labels), ("annotations", annotations)):
        for name, text in texts.items():
            if key == "labels" and not is_label_name(name):
                raise refused(rule, f"labels.{name}", f"{name!r} cannot be a label's name: letters, digits and _")
            try:
                check_template(text)
            except TemplateRefused as error:
                raise refused(rule, f"{key}.{name}", error.message) from None


def refused(rule: str, key: str, reason: str) -> RuleRefused:
    """Return the error that names rule, key and reason."""
    return RuleRefused(f"rule {rule}: {key}: {reason}", rule=rule, key=key)


def _check_measure(rule: Rule, measure: Measure) -> None:
    try:
        parse_matchers(measure.where)
    except MatcherRefused as error:
        raise refused(rule.name, "where", error.message) from None
    if not measure.metric:
        raise refused(rule.name, "metric", "expected the name of a metric, was nothing")
    if measure.function in WINDOWED and measure.window is None:
        raise refused(rule.name, "window", f"{measure.function} looks at a window of so many seconds")
    if measure.by and measure.across is None:
        raise refused(rule.name, "by", "`by` says which labels stay when `across` makes one number of many")
    for other in (measure.per, measure.minus):
        if other is not None:
            _check_measure(rule, other)


def _check_clear(rule: Rule, condition: Condition) -> None:
    if condition.clear is None:
        return
    upward = {">": True, ">=": True, "<": False, "<=": False}.get(condition.compare or "")
    if upward is None or ((condition.clear > condition.threshold) is upward and condition.clear != condition.threshold):
        reason = f"expected a value on the quiet side of the threshold {condition.threshold:g}"
        raise refused(rule.name, "clear", f"{reason}, was {condition.clear:g}")
