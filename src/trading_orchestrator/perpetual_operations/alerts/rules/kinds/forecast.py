"""Trouble that is on its way: a limit that will be reached, and numbers unlike those before."""

from __future__ import annotations

from typing import Literal

from trading_orchestrator.perpetual_operations.alerts.matchers import Op, matcher
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, Positive
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule
from trading_orchestrator.perpetual_operations.monitoring.analytics.shown_series import ANOMALY_SCORE


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
    """Fires while the anomaly score of a series is at least `score`; with `clear`, until it is below that.

    The score is a sample of `anomaly_score` with the label `metric` naming the series, from 0 to 1, 0.5 being the
    detector's own bar. A detector that tells only the onset makes an alert of one look-back and `keep_firing_for`.
    metric: the series as the detector names it; empty takes all.
    """

    metric: str = ""
    where: tuple[str, ...] = ()
    score: float = 0.5
    clear: float | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        where = (str(matcher("metric", Op.EQUAL, self.metric)), *self.where) if self.metric else self.where
        measure = Measure(metric=ANOMALY_SCORE, where=where)
        return (self.rule(Condition(measure=measure, compare=">=", threshold=self.score, clear=self.clear)),)
