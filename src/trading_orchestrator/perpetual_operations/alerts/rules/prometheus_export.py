"""Our rules as Prometheus rule YAML, so that another eye can watch the same numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from trading_orchestrator.perpetual_operations.alerts.matchers import parse_matchers
from trading_orchestrator.perpetual_operations.alerts.matchers import shown as shown_matchers
from trading_orchestrator.perpetual_operations.alerts.rules.config import AnyRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.rules.template import shown

GROUP = "trading_orchestrator"
_OF_WINDOW = {
    "avg": "avg_over_time",
    "min": "min_over_time",
    "max": "max_over_time",
    "sum": "sum_over_time",
    "count": "count_over_time",
    "last_seen": "last_over_time",
    "rate": "rate",
    "increase": "increase",
    "delta": "delta",
    "instant_rate": "irate",
    "slope": "deriv",
    "changes": "changes",
    "resets": "resets",
}


def exported(rules: Sequence[AnyRule]) -> str:
    """Return the rules as a rule file. What Prometheus cannot say stands in it as a comment.

    Rules about facts have no counterpart; a clear value (hysteresis) is left out; an exhaustion is told from the
    least-squares line, which wild samples bend, instead of a robust one.
    """
    lines = ["groups:", f"  - name: {GROUP}", "    rules:"]
    for rule in rules:
        if isinstance(rule, FactRule):
            lines.append(f"      # {rule.name}: looks at facts of the journal, which Prometheus does not see")
            continue
        for one in rule.rules():
            lines += [f"      {line}" for line in _lines(one)]
    return "\n".join(lines) + "\n"


def promql(rule: Rule) -> str:
    """Return the rule's conditions in PromQL."""
    lists = [" and ".join(_condition(one) for one in together) for together in (rule.conditions, *rule.or_)]
    holding = lists[0] if len(lists) == 1 else f"({' or '.join(lists)})"
    return " unless ".join([holding, *(_condition(condition) for condition in rule.unless)])


def _lines(rule: Rule) -> Iterator[str]:
    for condition in rule.all_conditions():
        if condition.clear is not None:
            yield f"# {rule.name}: clears at {shown(condition.clear)} here, which Prometheus cannot say"
    yield f"- alert: {json.dumps(rule.name)}"
    yield f"  expr: {json.dumps(promql(rule))}"
    if rule.for_:
        yield f"  for: {_duration(rule.for_)}"
    if rule.keep_firing_for:
        yield f"  keep_firing_for: {_duration(rule.keep_firing_for)}"
    yield from _texts("labels", rule.labels)
    yield from _texts("annotations", rule.annotations)


def _texts(key: str, texts: Mapping[str, str]) -> Iterator[str]:
    if texts:
        yield f"  {key}:"
        yield from (f"    {name}: {json.dumps(text)}" for name, text in texts.items())


def _condition(condition: Condition) -> str:
    measure = _measure(condition.measure)
    return measure if condition.compare is None else f"{measure} {condition.compare} {shown(condition.threshold)}"


def _measure(measure: Measure) -> str:
    found = _of_series(measure)
    if measure.only is not None:
        found = f"({found} {measure.only.compare} {shown(measure.only.threshold)})"
    if measure.across is not None:
        by = f" by ({', '.join(measure.by)}) " if measure.by else " "
        found = f"{measure.across}{by}({found})"
    if measure.per is not None:
        found = f"({found} / {_measure(measure.per)})"
    if measure.minus is not None:
        found = f"({found} - {_measure(measure.minus)})"
    return found if measure.scale == 1.0 else f"({found} * {shown(measure.scale)})"


def _of_series(measure: Measure) -> str:
    series = f"{measure.metric}{shown_matchers(parse_matchers(measure.where)) if measure.where else ''}"
    window = f"[{_duration(measure.window)}]" if measure.window else ""
    limit = shown(measure.limit)
    forms = {
        "last": series,
        "absent": f"absent_over_time({series}{window})" if window else f"absent({series})",
        # the look-back hides a series after 5 min; a day of it is looked through for the newest sample
        "age": f"(time() - max_over_time(timestamp({series})[1d:1m]))",
        "sample_age": f"(time() - timestamp({series}))",
        "value_age": f"(time() - {series})",
        "forecast": f"predict_linear({series}{window}, {shown(measure.horizon)})",
        "until_above": f"(({limit} - {series}) / (deriv({series}{window}) > 0))",
        "until_below": f"(({series} - {limit}) / (-deriv({series}{window}) > 0))",
    }
    return forms.get(measure.function) or f"{_OF_WINDOW[measure.function]}({series}{window})"


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{seconds:.0f}s"
