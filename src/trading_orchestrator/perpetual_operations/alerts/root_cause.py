"""Root causes: while a part is broken, alerts about the parts that stand on it are not told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.labels import Labels

DependsOn = Mapping[str, Sequence[str]]


class RootCauseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert about a part inhibits alerts about every part that depends on it, however indirectly.

    label: the label that names the part. cause_matchers: alerts that say a part is broken, not only worse.
    depends_on: edges besides those of the health graph. A full disk stops the journal, though its probe need not notice
        before the next commit.
    """

    label: str = "part"
    cause_matchers: tuple[str, ...] = ('severity="critical"',)
    depends_on: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: {"journal": ("disk",)})


class RootCauses:
    """Knows every alert that says a part is broken. `alert_of` tells how an alert is now."""

    def __init__(self, config: RootCauseConfig, alert_of: Callable[[str], Alert | None]) -> None:
        self._label = config.label
        self._besides = config.depends_on
        self._is_cause = m.parse_matchers(config.cause_matchers)
        self._alert_of = alert_of
        self._causes: dict[str, dict[str, None]] = {}
        self._of_health: DependsOn = {}
        self._depends_on: DependsOn = {}
        self._below: dict[str, frozenset[str]] = {}

    def set_graph(self, depends_on: DependsOn) -> None:
        """Take the graph: which parts each part stands on."""
        if depends_on != self._of_health:
            self._of_health, self._below = depends_on, {}
            parts = (*depends_on, *self._besides)
            self._depends_on = {part: (*depends_on.get(part, ()), *self._besides.get(part, ())) for part in parts}

    def add(self, alert: Alert) -> None:
        """Remember the alert if it says that a part is broken."""
        part = alert.labels.get(self._label)
        if part and m.all_match(self._is_cause, alert.labels):
            self._causes.setdefault(part, {})[alert.fingerprint] = None

    def forget(self, alert: Alert) -> None:
        """Forget the alert."""
        part = alert.labels.get(self._label, "")
        causes = self._causes.get(part, {})
        causes.pop(alert.fingerprint, None)
        if not causes:
            self._causes.pop(part, None)

    def inhibited_by(self, labels: Labels, now_ns: int) -> str | None:
        """Return the fingerprint of a firing cause below this alert's part, or None.

        Parts that stand on each other do not inhibit each other: both would be silent.
        """
        part = labels.get(self._label)
        if not part or not self._causes:
            return None
        for below in sorted(self._all_below(part)):
            if below == part or part in self._all_below(below):
                continue
            for fingerprint in self._causes.get(below, ()):
                cause = self._alert_of(fingerprint)
                if cause is not None and not cause.is_resolved(now_ns):
                    return fingerprint
        return None

    def _all_below(self, part: str) -> frozenset[str]:
        if part not in self._depends_on:
            return frozenset()
        if part not in self._below:
            found: set[str] = set()
            left = list(self._depends_on.get(part, ()))
            while left:
                below = left.pop()
                if below not in found:
                    found.add(below)
                    left += self._depends_on.get(below, ())
            self._below[part] = frozenset(found)
        return self._below[part]
