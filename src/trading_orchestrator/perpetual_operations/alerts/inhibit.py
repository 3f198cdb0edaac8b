"""Inhibition: while a source fires, its targets that agree in the equal labels are not told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.config import InhibitRuleConfig
from trading_orchestrator.perpetual_operations.alerts.labels import Labels

AlertOf = Callable[[str], Alert | None]


@dataclass
class InhibitRule:
    """One rule and its sources, by the values of the equal labels: a target is judged without a search."""

    source: tuple[m.Matcher, ...]
    target: tuple[m.Matcher, ...]
    equal: tuple[str, ...]
    sources: dict[tuple[str, ...], dict[str, None]] = field(default_factory=dict)

    def values(self, labels: Labels) -> tuple[str, ...]:
        """Return the equal labels' values; a missing one is empty, so two missing ones agree."""
        return tuple(labels.get(name, "") for name in self.equal)


class Inhibitor:
    """Knows every alert that can be a source. `alert_of` tells how an alert is now, or None when it is forgotten."""

    def __init__(self, rules: Sequence[InhibitRuleConfig], alert_of: AlertOf) -> None:
        self._alert_of = alert_of
        self._rules = [
            InhibitRule(m.parse_matchers(rule.source_matchers), m.parse_matchers(rule.target_matchers), rule.equal)
            for rule in rules
        ]

    def add(self, alert: Alert) -> None:
        """Remember the alert wherever it is a source."""
        for rule in self._rules:
            if m.all_match(rule.source, alert.labels):
                rule.sources.setdefault(rule.values(alert.labels), {})[alert.fingerprint] = None

    def forget(self, alert: Alert) -> None:
        """Forget the alert."""
        for rule in self._rules:
            values = rule.values(alert.labels)
            sources = rule.sources.get(values, {})
            sources.pop(alert.fingerprint, None)
            if not sources:
                rule.sources.pop(values, None)  # values may be ids that never come again

    def inhibited_by(self, labels: Labels, now_ns: int) -> str | None:
        """Return the fingerprint of a firing source, or None.

        An alert that matches both sides is not inhibited by another that matches both: the two would be silent.
        """
        for rule in self._rules:
            if not m.all_match(rule.target, labels):
                continue
            is_source_too = m.all_match(rule.source, labels)
            for fingerprint in rule.sources.get(rule.values(labels), ()):
                source = self._alert_of(fingerprint)
                if source is None or source.is_resolved(now_ns):
                    continue
                if not (is_source_too and m.all_match(rule.target, source.labels)):
                    return fingerprint
        return None
