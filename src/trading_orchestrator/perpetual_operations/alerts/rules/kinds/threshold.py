"""A number beyond a threshold: the newest one, or one made of a window, a rate, or several series."""

from __future__ import annotations

from msgspec import field, structs

from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, Positive
from trading_orchestrator.perpetual_operations.alerts.rules.rule import (
    Across,
    Compare,
    Condition,
    Conditions,
    Function,
    Measure,
    Rule,
)


class ThresholdRule(EveryRule, frozen=True, kw_only=True, tag="threshold"):
    """Fires while the number compares so; with `clear`, until it is back at or beyond that value (hysteresis).

    function, window, across, by, scale: how the number is made, as in `Measure`.
    per: the metric to divide by, made the same way, e.g. errors per request.
    """

    metric: str
    where: tuple[str, ...] = ()
    function: Function = "last"
    window: Positive | None = None
    across: Across | None = None
    by: tuple[str, ...] = ()
    per: str = ""
    scale: float = 1.0
    compare: Compare = ">"
    threshold: float
    clear: float | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        measure = Measure(
            metric=self.metric,
            where=self.where,
            function=self.function,
            window=self.window,
            across=self.across,
            by=self.by,
        )
        per = structs.replace(measure, metric=self.per) if self.per else None
        number = structs.replace(measure, per=per, scale=self.scale)
        return (self.rule(Condition(measure=number, compare=self.compare, threshold=self.threshold, clear=self.clear)),)


class CombinedRule(EveryRule, frozen=True, kw_only=True, tag="combined"):
    """Fires for every label set for which all `conditions`, or all of a list of `or`, hold and none of `unless`."""

    conditions: Conditions
    or_: tuple[Conditions, ...] = field(default=(), name="or")
    unless: tuple[Condition, ...] = ()

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        return (structs.replace(self.rule(*self.conditions, unless=self.unless), or_=self.or_),)
