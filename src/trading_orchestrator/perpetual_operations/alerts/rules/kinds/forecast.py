"""Trouble that is on its way: a limit that will be reached, and numbers unlike those before."""

from __future__ import annotations

from typing import Literal

from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, Positive
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule

ANOMALY_SCORE = "anomaly_score"


class PredictiveRule(EveryRule, frozen=True, kw_only=True, tag="predictive"):
    """Fires when the metric will reach `limit` within `within` seconds, by a robust line through `window`.

    The line is Theil-Sen's: single wild samples do not bend it. It says nothing before half the window is covered.
    clear_after: once it fires, it fires until the limit is further away than this (hysteresis).
    """

    metric: str
    where: tuple[str, ...] = ()
    limit: float
    direction: Literal["rises", "falls"] = "rises"
    within: Positive
    window: Positive
    clear_after: Positive | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        measure = Measure(
            metric=self.metric,
            where=self.where,
            function="until_above" if self.direction == "rises" else "until_below",
            window=self.window,
            limit=self.limit,
        )
        return (self.rule(Condition(measure=measure, compare="<", threshold=self.within, clear=self.clear_after)),)


class AnomalyRule(EveryRule, frozen=True, kw_only=True, tag="anomaly"):
    """Fires while the anomaly score of a metric is above `score`; with `clear`, until it is back at that.

    The score is a series `anomaly_score` with the label `metric` beside the labels of the series it judges; who
    makes it adds it to the samples like any other number.
    """

    metric: str
    where: tuple[str, ...] = ()
    score: float
    clear: float | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        measure = Measure(metric=ANOMALY_SCORE, where=(f'metric="{self.metric}"', *self.where))
        return (self.rule(Condition(measure=measure, compare=">", threshold=self.score, clear=self.clear)),)
