"""How fast an error budget burns: several windows at several rates, so that pages are quick and seldom wrong."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import (
    EveryRule,
    NotNegative,
    Positive,
    Severity,
)
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Burn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fires when the budget burns `factor` times as fast as it may over both windows.

    The long window makes it sure, the short one ends it soon after the errors end.
    """

    factor: Positive
    long_window: Positive
    short_window: Positive
    severity: Severity


GOOGLES = (
    Burn(factor=14.4, long_window=HOUR_S, short_window=300.0, severity="critical"),
    Burn(factor=6.0, long_window=6 * HOUR_S, short_window=1800.0, severity="critical"),
    Burn(factor=3.0, long_window=DAY_S, short_window=2 * HOUR_S, severity="warning"),
    Burn(factor=1.0, long_window=3 * DAY_S, short_window=6 * HOUR_S, severity="warning"),
)


class BurnRateRule(EveryRule, frozen=True, kw_only=True, tag="burn_rate"):
    """Two counters, of bad events and of all, against the share of good ones that was promised.

    where: the series of both. bad_where: which of them are bad, where both are one counter, e.g. `status=~"5.."`.
    objective: e.g. 0.999. burns: the four of Google's SRE workbook, 2 % of a month's budget in an hour to 10 % in
        three days; pages are `critical`, tickets `warning`.
    events_min: no alert from a long window with fewer events, where one bad one would already be a high rate.
    no_data_for: seconds without any new value of `total` after which that is an alert itself; 0 says nothing.
    `severity` and `for` of this rule are the no-data alert's. Each alert has the labels `slo`, `burn` and `window`.

    Source: The Site Reliability Workbook, chapter 5, table 5-8.
    """

    bad: str
    total: str
    where: tuple[str, ...] = ()
    bad_where: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    objective: Annotated[float, Meta(gt=0, lt=1)]
    burns: Annotated[tuple[Burn, ...], Meta(min_length=1)] = GOOGLES
    events_min: NotNegative = 10.0
    no_data_for: NotNegative = 900.0

    def rules(self) -> tuple[Rule, ...]:
        """Return one rule for each burn, and the one for no data."""
        found = tuple(self._burning(burn) for burn in self.burns)
        if not self.no_data_for:
            return found
        measure = Measure(metric=self.total, where=self.where, function="absent", window=self.no_data_for)
        labels = {"slo": self.name}
        return (*found, self.rule(Condition(measure=measure), named=f"{self.name}NoData", labels=labels))

    def _burning(self, burn: Burn) -> Rule:
        limit = burn.factor * (1 - self.objective)
        events = self._grown(self.total, burn.long_window)
        labels = {"slo": self.name, "burn": f"{burn.factor:g}", "window": shown_s(burn.long_window)}
        return self.rule(
            Condition(measure=self._share(burn.long_window), compare=">", threshold=limit),
            Condition(measure=self._share(burn.short_window), compare=">", threshold=limit),
            Condition(measure=events, compare=">=", threshold=self.events_min),
            named=f"{self.name}Burns{shown_s(burn.long_window)}",
            for_s=0.0,
            labels={**labels, "severity": burn.severity},
        )

    def _share(self, window_s: float) -> Measure:
        bad = self._grown(self.bad, window_s)
        where = (*self.where, *self.bad_where)
        return msgspec.structs.replace(bad, where=where, per=self._grown(self.total, window_s))

    def _grown(self, metric: str, window_s: float) -> Measure:
        return Measure(metric=metric, where=self.where, function="increase", window=window_s, across="sum", by=self.by)


def shown_s(seconds: float) -> str:
    """Return `3d`, `6h`, `30m` or `45s`."""
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (60.0, "m")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g}{unit}"
    return f"{seconds:g}s"
