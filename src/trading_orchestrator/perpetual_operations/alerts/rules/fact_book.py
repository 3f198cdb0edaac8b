"""The fact book: alerts that facts begin and end. Its state is a fold, and it says up to where it has read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.labels import without_empty
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import VALUE_LEN_MAX, FactRule, fields_of
from trading_orchestrator.perpetual_operations.alerts.rules.life import Active, RuleState
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import Evaluation, Known, RuleChanged
from trading_orchestrator.perpetual_operations.alerts.rules.template import filled

LabelKey = tuple[tuple[str, str], ...]
FIELDS_LEN_MAX = 2_000
MARK_EVERY_FACTS = 10_000


class FactsRead(msgspec.Struct, frozen=True, kw_only=True):
    """The journal has been read up to `pos`: a successor need not look before it."""

    kind: ClassVar[str] = "alert.facts_read"
    at_ns: int
    pos: int


class FactBook:
    """Law: show it every fact after `pos`, in order; showing one twice changes nothing.

    Facts that no rule takes leave no trace but a mark every 10,000 of them (`read_to`); reading again from there is
    harmless. At its very first start it is marked at the journal's head: what is older has been somebody's past.
    """

    def __init__(self, rules: Sequence[FactRule] = ()) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self.pos = 0
        self._alive: dict[str, dict[LabelKey, Known]] = {name: {} for name in self.rules}
        self._begins = {rule.fact for rule in rules}
        self._ends = {
            kind: [rule.name for rule in rules if kind in rule.until] for rule in rules for kind in rule.until
        }

    def apply(self, body: RuleChanged | FactsRead) -> None:
        """Take one fact of ours in; those of a rule that is no more are passed over."""
        self.pos = max(self.pos, body.pos)
        if isinstance(body, FactsRead):
            return
        alive = self._alive.get(body.rule)
        if alive is None:
            return
        key = _key(body.labels)
        if body.active is None:
            alive.pop(key, None)
        else:
            alive[key] = Known(body.labels, _key(body.source), body.number, body.active)

    def alive(self) -> dict[str, list[Known]]:
        """Return what fires, by rule."""
        return {name: list(known.values()) for name, known in self._alive.items()}

    def read_to(self, pos: int, now_ns: int) -> Sequence[FactsRead]:
        """Say that everything up to `pos` has been shown; returns a fact when it is time for a mark."""
        if self.pos and pos - self.pos < MARK_EVERY_FACTS:
            return []
        mark = FactsRead(at_ns=now_ns, pos=pos)
        self.apply(mark)
        return [mark]

    def snapshot(self, now_ns: int) -> list[RuleChanged | FactsRead]:
        """Return facts that make this state when applied to a new book."""
        alive = [
            RuleChanged(
                at_ns=known.active.since_ns,
                rule=name,
                labels=known.labels,
                source=dict(known.source),
                value=known.value,
                active=known.active,
                pos=self.pos,
            )
            for name, alive in self._alive.items()
            for known in alive.values()
        ]
        return [FactsRead(at_ns=now_ns, pos=self.pos), *alive]

    def see(self, *, stream: str, kind: str, body: bytes, pos: int, now_ns: int) -> Evaluation:
        """Look at one fact of the journal."""
        if pos <= self.pos or not self._matters(kind):
            return Evaluation(facts=[], alerts=[], broken={})
        fields = fields_of(stream, body)
        changed = [change for rule in self.rules.values() for change in self._changes(rule, kind, fields, pos, now_ns)]
        return self._taken(changed)

    def _matters(self, kind: str) -> bool:
        """What only ends alerts is frequent (each trade does), and read only while there is one to end."""
        return kind in self._begins or any(self._alive[name] for name in self._ends.get(kind, ()))

    def evaluate(self, now_ns: int) -> Evaluation:
        """End what nobody saw again for long enough, and tell what goes on firing."""
        over = [
            self._ended(rule, known, now_ns)
            for rule in self.rules.values()
            for known in self._alive[rule.name].values()
            if rule.firing_for and now_ns - _seen_ns(known) >= round(rule.firing_for * 1e9)
        ]
        ended = self._taken(over)
        going_on = [
            _posted(self.rules[name], known, None) for name, alive in self._alive.items() for known in alive.values()
        ]
        return Evaluation(facts=ended.facts, alerts=[*ended.alerts, *going_on], broken={})

    def _changes(
        self, rule: FactRule, kind: str, fields: dict[str, str], pos: int, now_ns: int
    ) -> Iterator[RuleChanged]:
        if kind in rule.until:
            keys = rule.end_keys(fields)
            for known in self._alive[rule.name].values():
                if rule.key(dict(known.source)) in keys:
                    yield self._ended(rule, known, now_ns, pos)
        elif rule.takes(kind, fields):
            yield self._seen(rule, _short(fields, rule.by), pos, now_ns)

    def _seen(self, rule: FactRule, fields: dict[str, str], pos: int, now_ns: int) -> RuleChanged:
        own = {name: filled(text, fields, 1.0) for name, text in rule.own_labels().items()}
        labels = without_empty({**rule.key(fields), **own, "alertname": rule.name})
        old = self._alive[rule.name].get(_key(labels))
        return RuleChanged(
            at_ns=now_ns,
            rule=rule.name,
            labels=labels,
            source=fields,
            value=1.0 if old is None else old.value + 1,
            active=Active(
                state=RuleState.FIRING,
                since_ns=now_ns if old is None else old.active.since_ns,
                kept_since_ns=now_ns,
            ),
            pos=pos,
        )

    def _ended(self, rule: FactRule, known: Known, now_ns: int, pos: int = 0) -> RuleChanged:
        return RuleChanged(
            at_ns=now_ns,
            rule=rule.name,
            labels=known.labels,
            source=dict(known.source),
            value=known.value,
            active=None,
            pos=pos,
        )

    def _taken(self, changed: Sequence[RuleChanged]) -> Evaluation:
        alerts = []
        for change in changed:
            old = self._alive[change.rule].get(_key(change.labels))
            self.apply(change)
            known = self._alive[change.rule].get(_key(change.labels)) or old
            if known is not None:
                ends_at_ns = change.at_ns if change.active is None else None
                alerts.append(_posted(self.rules[change.rule], known, ends_at_ns))
        return Evaluation(facts=changed, alerts=alerts, broken={})


def _posted(rule: FactRule, known: Known, ends_at_ns: int | None) -> Posted:
    fields = dict(known.source)
    return Posted(
        labels=known.labels,
        annotations={name: filled(text, fields, known.value) for name, text in rule.own_annotations().items()},
        starts_at_ns=known.active.since_ns,
        ends_at_ns=ends_at_ns,
    )


def _seen_ns(known: Known) -> int:
    """`kept_since_ns` of a fact's alert is when it was seen last."""
    return known.active.kept_since_ns or known.active.since_ns


def _key(labels: dict[str, str]) -> LabelKey:
    return tuple(sorted(labels.items()))


def _short(fields: dict[str, str], first: Sequence[str]) -> dict[str, str]:
    """A fact may be as large as 1 MB; what a text may quote of it is not."""
    kept: dict[str, str] = {}
    left = FIELDS_LEN_MAX
    for name in dict.fromkeys([*first, *fields]):
        value = fields.get(name, "")[:VALUE_LEN_MAX]
        left -= len(name) + len(value)
        if value and left >= 0:
            kept[name] = value
    return kept
