"""Settings of the rules: `[[perpetual_operations.alerts.rules.watch]]`, each of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from trading_orchestrator.perpetual_operations.alerts.rules.fact_book import FactBook, FactsRead
from trading_orchestrator.perpetual_operations.alerts.rules.facts import Body
from trading_orchestrator.perpetual_operations.alerts.rules.heartbeats import (
    HeartbeatForgotten,
    HeartbeatHeard,
    Heartbeats,
)
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.burn_rate import BurnRateRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, Positive
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.forecast import AnomalyRule, PredictiveRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.health import HealthRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.silent_source import (
    AbsentRule,
    HeartbeatRule,
    StaleRule,
)
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.threshold import CombinedRule, ThresholdRule
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Rule, refused
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook

MeasuredRule = (
    ThresholdRule
    | CombinedRule
    | AbsentRule
    | StaleRule
    | HeartbeatRule
    | PredictiveRule
    | AnomalyRule
    | BurnRateRule
    | HealthRule
)
AnyRule = MeasuredRule | FactRule


class RulesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is watched.

    every: seconds between two evaluations. lookback: the newest sample counts for so many seconds, and a start is
        patient with its sources for as long; Prometheus's 5 min.
    watch: the rules, each with its `kind`.
    """

    every: Positive = 5.0
    lookback: Positive = 300.0
    watch: tuple[AnyRule, ...] = ()


@dataclass(frozen=True)
class Books:
    """Checked rules, ready to evaluate: those on numbers, those on facts, and the beats that programs sent."""

    rules: RuleBook
    facts: FactBook
    beats: Heartbeats

    def apply(self, fact: Body) -> None:
        """Take one stored fact in, wherever it belongs."""
        if isinstance(fact, HeartbeatHeard | HeartbeatForgotten):
            self.beats.apply(fact)
            return
        self.facts.apply(fact)
        if not isinstance(fact, FactsRead):
            self.rules.apply(fact)

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        """Return facts that make this state when applied to new books."""
        return [*self.rules.snapshot(), *self.facts.snapshot(now_ns), *self.beats.snapshot()]


def books_of(config: RulesConfig) -> Books:
    """Return the books of all rules.

    Raises:
        RuleRefused: the sentence names rule and key.
    """
    _check_names(config.watch)
    about_facts = [rule for rule in config.watch if isinstance(rule, FactRule)]
    for rule in about_facts:
        rule.check()
    measured = measured_rules(config.watch)
    return Books(RuleBook(measured, lookback_s=config.lookback), FactBook(about_facts), _heartbeats(config.watch))


def measured_rules(rules: Sequence[AnyRule]) -> tuple[Rule, ...]:
    """Return what the rules on numbers come down to; one of them may be several."""
    return tuple(one for rule in rules if not isinstance(rule, FactRule) for one in rule.rules())


def _heartbeats(rules: Sequence[AnyRule]) -> Heartbeats:
    watching = [rule for rule in rules if isinstance(rule, HeartbeatRule)]
    timeouts_s: dict[str, float] = {}
    for rule in watching:
        timeouts_s[rule.monitor] = min(rule.timeout, timeouts_s.get(rule.monitor, rule.timeout))
    return Heartbeats(timeouts_s, [rule.monitor for rule in watching if not rule.after_first])


def _check_names(rules: Sequence[EveryRule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if not rule.name:
            raise refused("", "name", f"a rule of kind {type(rule).__struct_config__.tag!r} needs a name")
        if rule.name in seen:
            raise refused(rule.name, "name", "two rules have this name")
        seen.add(rule.name)
