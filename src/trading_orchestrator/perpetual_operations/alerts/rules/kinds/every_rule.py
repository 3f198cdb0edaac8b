"""What every rule says, whatever it looks at: name, severity, texts, and how long before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Rule

Severity = Literal["critical", "warning", "info"]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class EveryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """The fields that all kinds of rules share.

    severity: becomes a label; `critical` wakes somebody and is never throttled.
    summary, runbook: become annotations; `runbook` is the name of a runbook.
    for_, keep_firing_for: seconds it must hold before it fires, and goes on firing after it held last.
    labels, annotations: texts with `{{ $value }}` and `{{ $labels.name }}`.
    """

    name: str
    severity: Severity = "warning"
    summary: str = ""
    runbook: str = ""
    for_: NotNegative = msgspec.field(default=0.0, name="for")
    keep_firing_for: NotNegative = 0.0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    def own_labels(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the labels of its alerts; those given here and in `labels` outrank `severity`."""
        return {"severity": self.severity, **(more or {}), **self.labels}

    def own_annotations(self) -> dict[str, str]:
        """Return the texts of its alerts."""
        told = {"summary": self.summary, "runbook": self.runbook}
        return {**{name: text for name, text in told.items() if text}, **self.annotations}

    def rule(
        self,
        *conditions: Condition,
        unless: Sequence[Condition] = (),
        named: str = "",
        for_s: float | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Rule:
        """Return a rule of these conditions in this one's words."""
        return Rule(
            name=named or self.name,
            conditions=conditions,
            unless=tuple(unless),
            for_=self.for_ if for_s is None else for_s,
            keep_firing_for=self.keep_firing_for,
            labels=self.own_labels(labels),
            annotations=self.own_annotations(),
        )
