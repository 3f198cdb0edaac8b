"""A source that says nothing: no series at all, none newer than it should be, or no sign of life."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.alerts.matchers import Op, matcher
from trading_orchestrator.perpetual_operations.alerts.rules.heartbeats import HEARTBEAT
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, Positive
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule


class AbsentRule(EveryRule, frozen=True, kw_only=True, tag="absent"):
    """Fires while no series of the metric has a value; `window`: none within so many seconds."""

    metric: str
    where: tuple[str, ...] = ()
    window: Positive | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        measure = Measure(metric=self.metric, where=self.where, function="absent", window=self.window)
        return (self.rule(Condition(measure=measure)),)


class StaleRule(EveryRule, frozen=True, kw_only=True, tag="stale"):
    """Fires for every series whose newest sample is older than `older_than` seconds, however old it is."""

    metric: str
    where: tuple[str, ...] = ()
    older_than: Positive

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        measure = Measure(metric=self.metric, where=self.where, function="age")
        return (self.rule(Condition(measure=measure, compare=">", threshold=self.older_than)),)


class HeartbeatRule(EveryRule, frozen=True, kw_only=True, tag="heartbeat"):
    """Fires when the monitored program has not said for `timeout` seconds that it lives.

    A beat is a sample of the metric `heartbeat` with the label `monitor`. The last one is durable: restarts of ours are
    no beats. A program that never came is missed too, one `timeout` after the rule's first start.
    after_first: only a program that was heard once is missed.
    """

    monitor: str
    timeout: Positive
    after_first: bool = False

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        where = (str(matcher("monitor", Op.EQUAL, self.monitor)),)
        measure = Measure(metric=HEARTBEAT, where=where, function="age", across="min", by=("monitor",))
        return (self.rule(Condition(measure=measure, compare=">=", threshold=self.timeout)),)
