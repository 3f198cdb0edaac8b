"""A part that is unwell, as the health checker found it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule

HEALTH, CAUSE = "health_badness", "health_is_cause"
BADNESS: dict[HealthState, float] = {
    HealthState.HEALTHY: 0.0,
    HealthState.STARTING: 1.0,
    HealthState.DEGRADED: 2.0,
    HealthState.STOPPED: 3.0,
    HealthState.UNKNOWN: 4.0,
    HealthState.UNHEALTHY: 5.0,
}
_FIRST_BAD = {"degraded": HealthState.DEGRADED, "down": HealthState.STOPPED, "unhealthy": HealthState.UNHEALTHY}


class HealthRule(EveryRule, frozen=True, kw_only=True, tag="health"):
    """Fires for every part that is `state` or worse; `down` is stopped, unknown or unhealthy.

    or_worse: off, only for parts that are exactly `state`.
    parts: matchers on the label `part`; none takes all. causes_only: not for parts that another one explains.
    """

    state: Literal["degraded", "down", "unhealthy"] = "down"
    parts: tuple[str, ...] = ()
    causes_only: bool = True
    or_worse: bool = True

    def rules(self) -> tuple[Rule, ...]:
        """Return it as a rule of measures."""
        bad = Condition(
            measure=Measure(metric=HEALTH, where=self.parts),
            compare=">=" if self.or_worse else "==",
            threshold=BADNESS[_FIRST_BAD[self.state]],
        )
        is_cause = Condition(measure=Measure(metric=CAUSE, where=self.parts), compare="==", threshold=1.0)
        return (self.rule(bad, is_cause) if self.causes_only else self.rule(bad),)


class Finding(Protocol):
    """One part as the health checker found it."""

    @property
    def name(self) -> str:
        """Return the part's name."""
        ...

    @property
    def state(self) -> HealthState:
        """Return how it is."""
        ...

    @property
    def is_cause(self) -> bool:
        """Return whether it is unwell and nothing upstream explains it."""
        ...


def health_samples(findings: Iterable[Finding]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield metric, labels and value of what the health rules look at, for `Samples.add`."""
    for finding in findings:
        labels = {"part": finding.name}
        yield HEALTH, labels, BADNESS[finding.state]
        yield CAUSE, labels, float(finding.is_cause)
