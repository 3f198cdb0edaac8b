"""The rule book: evaluates rules, and tells what became pending, fires, or ended. Its state is a fold over facts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.errors import Broken
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.labels import without_empty
from trading_orchestrator.perpetual_operations.alerts.rules.coverage import covered_ns, may_begin, measures_of
from trading_orchestrator.perpetual_operations.alerts.rules.life import Active, RuleState, next_life
from trading_orchestrator.perpetual_operations.alerts.rules.measuring import LabelKey, Memo, View, holding, measured
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure, Rule, RuleRefused, check_rule
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples
from trading_orchestrator.perpetual_operations.alerts.rules.template import filled, shown
from trading_orchestrator.perpetual_operations.alerts.rules.window import COUNTERS


class RuleChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of a rule is in another state; `active` None: it is over.

    `pos`: the journal's fact that did it, of a rule about facts. `value` is a text where it is infinite or no number,
    which JSON cannot write; None is one that was lost, as older releases wrote those.
    """

    kind: ClassVar[str] = "alert.rule_changed"
    at_ns: int
    rule: str
    labels: dict[str, str]
    source: dict[str, str]
    value: float | str | None
    active: Active | None
    pos: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            msgspec.structs.force_setattr(self, "value", shown(self.value))

    @property
    def number(self) -> float:
        """Return the value; one that was lost is no number."""
        return math.nan if self.value is None else float(self.value)


class SameLabels(Broken):
    """A rule's own labels make two of its alerts equal. Facts: rule, labels."""

    code = "alerts.same_labels"


class Known(msgspec.Struct, frozen=True):
    """An alert of a rule, the series' labels it comes from, and the value it last had."""

    labels: dict[str, str]
    source: LabelKey
    value: float
    active: Active


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation gave: facts to append, alerts to hand on, and rules that could not be evaluated."""

    facts: Sequence[RuleChanged]
    alerts: Sequence[Posted]
    broken: Mapping[str, SameLabels]


class RuleBook:
    """Rules and what is alive of them. Only changes are facts: an alert that goes on firing is posted, not recorded.

    After `start`, a rule whose series have not been seen again is left as it is for one look-back: a new process knows
    no samples, and that neither ends an alert nor makes one. A rule with a window is left as it is until the window is
    covered, by the metrics history or by time; it begins sooner only what the rest of the window could not take back.
    """

    def __init__(self, rules: Sequence[Rule], *, lookback_s: float = 300.0) -> None:
        self.rules = {rule.name: check_rule(rule) for rule in rules}
        if len(self.rules) < len(rules):
            names = [rule.name for rule in rules]
            twice = next(name for name in names if names.count(name) > 1)
            raise RuleRefused(f"two rules are named {twice!r}", rule=twice, key="name")
        self._lookback_ns = round(lookback_s * 1e9)
        self._alive: dict[str, dict[LabelKey, Known]] = {name: {} for name in self.rules}
        self._patient_until_ns = 0
        self._covered_ns: dict[str, int] = {}
        self._memo: Memo = {}

    @property
    def keep_ns(self) -> int:
        """Return how much of the past the rules look at."""
        return max(self.memory().values(), default=self._lookback_ns)

    def memory(self) -> dict[str, int]:
        """Return for each metric how much of its past the rules look at, in ns."""
        found: dict[str, int] = {}
        for rule in self.rules.values():
            for measure in measures_of(rule):
                window_ns = max(self._lookback_ns, round((measure.window or 0) * 1e9))
                found[measure.metric] = max(found.get(measure.metric, 0), window_ns)
        return found

    def samples(self) -> Samples:
        """Return an empty memory that is as long as the rules look back.

        Of long pasts that only counters are made of, what is older than an hour is kept once a minute.
        """
        measures = [one for rule in self.rules.values() for one in measures_of(rule)]
        exact = {one.metric for one in measures if one.function not in COUNTERS}
        memory = self.memory()
        return Samples(keep_ns=self._lookback_ns, keep_by_metric=memory, thinned=frozenset(memory) - exact)

    def windows(self) -> Mapping[str, Sequence[Measure]]:
        """Return by metric the measures that look at a window of it: what a start should fill in."""
        found: dict[str, list[Measure]] = {}
        for rule in self.rules.values():
            for measure in measures_of(rule):
                if measure.window is not None:
                    found.setdefault(measure.metric, []).append(measure)
        return found

    def start(self, now_ns: int, known_from_ns: Mapping[str, int] | None = None) -> None:
        """Take over: be patient with every series, and with windows of which too little is known.

        Args:
            known_from_ns: from when on each metric with a window is known; now, when nothing is said. A book that no
                process had before needs no patience with windows: the past that it does not know was nobody's.
        """
        self._patient_until_ns = now_ns + self._lookback_ns
        known = {metric: (known_from_ns or {}).get(metric, now_ns) for metric in self.windows()}
        self._covered_ns = {name: covered_ns(rule, known) for name, rule in self.rules.items()}

    def snapshot(self) -> list[RuleChanged]:
        """Return facts that make this state when applied to a new book."""
        return [
            RuleChanged(
                at_ns=known.active.since_ns,
                rule=name,
                labels=known.labels,
                source=dict(known.source),
                value=known.value,
                active=known.active,
            )
            for name, alive in self._alive.items()
            for known in alive.values()
        ]

    def apply(self, body: RuleChanged) -> None:
        """Take one fact in; those of a rule that is no more are passed over."""
        if body.rule not in self._alive:
            return
        key = tuple(sorted(body.labels.items()))
        if body.active is None:
            self._alive[body.rule].pop(key, None)
        else:
            source = tuple(sorted(body.source.items()))
            self._alive[body.rule][key] = Known(body.labels, source, body.number, body.active)

    def alive(self) -> dict[str, list[Known]]:
        """Return what is pending or firing, by rule."""
        return {name: list(known.values()) for name, known in self._alive.items()}

    def evaluate(self, samples: Samples, now_ns: int, wall_ns: int | None = None) -> Evaluation:
        """Evaluate every rule now. A rule that breaks keeps its alerts as they were.

        Args:
            wall_ns: what the wall clock shows, where that is another time.
        """
        facts: list[RuleChanged] = []
        alerts: list[Posted] = []
        broken: dict[str, SameLabels] = {}
        view = View(samples, now_ns, self._lookback_ns, self._memo, wall_ns)
        for rule in self.rules.values():
            try:
                changed, posted = self._evaluate(rule, view)
            except SameLabels as error:
                broken[rule.name] = error
                continue
            facts += changed
            alerts += posted
        return Evaluation(facts=facts, alerts=alerts, broken=broken)

    def _evaluate(self, rule: Rule, view: View) -> tuple[list[RuleChanged], list[Posted]]:
        alive = self._alive[rule.name]
        held = {known.source for known in alive.values() if known.active.state is not RuleState.KEPT}
        found = _alerts_of(rule, holding(rule, view, lambda source: source in held))
        unseen, undecided = self._unseen(rule, view, alive, found), self._undecided(rule, view.now_ns, alive, found)
        facts: list[RuleChanged] = []
        alerts: list[Posted] = []
        for key in {**alive, **found}:
            old = alive.get(key)
            if key in undecided and old is not None:
                alerts += _posted(rule, _as_it_was(rule, old, view.now_ns), old)
            if key in undecided or key in unseen:
                continue
            fact = self._next(rule, key, old, found.get(key), view.now_ns)
            if old is None or fact.active != old.active:
                facts.append(fact)
            self.apply(fact)
            alerts += _posted(rule, fact, old)
        return facts, alerts

    def _unseen(
        self, rule: Rule, view: View, alive: Mapping[LabelKey, Known], found: Mapping[LabelKey, object]
    ) -> set[LabelKey]:
        """Return the alerts about which nothing can be said yet, soon after a start."""
        if view.now_ns >= self._patient_until_ns:
            return set()
        if _is_about_absence(rule):
            return set(found)
        if not alive:
            return set()
        seen = measured(rule, view)
        return {key for key, known in alive.items() if key not in found and known.source not in seen}

    def _undecided(
        self, rule: Rule, now_ns: int, alive: Mapping[LabelKey, Known], found: Mapping[LabelKey, object]
    ) -> set[LabelKey]:
        """Return the alerts about which the known part of the rule's windows says nothing yet."""
        if now_ns >= self._covered_ns.get(rule.name, 0):
            return set()
        if _is_about_absence(rule):
            return set(found)
        not_over = set(alive.keys() - found.keys())
        if may_begin(rule):
            return not_over
        return not_over | {key for key in found if key not in alive or alive[key].active.state is RuleState.PENDING}

    def _next(
        self, rule: Rule, key: LabelKey, old: Known | None, found: tuple[LabelKey, float] | None, now_ns: int
    ) -> RuleChanged:
        active = next_life(
            None if old is None else old.active,
            holds=found is not None,
            now_ns=now_ns,
            for_ns=round(rule.for_ * 1e9),
            keep_ns=round(rule.keep_firing_for * 1e9),
        )
        last = ((), 0.0) if old is None else (old.source, old.value)
        source, value = found or last
        return RuleChanged(
            at_ns=now_ns, rule=rule.name, labels=dict(key), source=dict(source), value=value, active=active
        )


def _is_about_absence(rule: Rule) -> bool:
    return any(measure.function == "absent" for measure in measures_of(rule))


def _as_it_was(rule: Rule, known: Known, now_ns: int) -> RuleChanged:
    return RuleChanged(
        at_ns=now_ns,
        rule=rule.name,
        labels=known.labels,
        source=dict(known.source),
        value=known.value,
        active=known.active,
    )


def _alerts_of(rule: Rule, values: Mapping[LabelKey, float]) -> dict[LabelKey, tuple[LabelKey, float]]:
    """Return the alerts' labels, each with the series and the value it comes from."""
    found: dict[LabelKey, tuple[LabelKey, float]] = {}
    for source, value in values.items():
        own = {name: filled(text, dict(source), value) for name, text in rule.labels.items()}
        key = tuple(without_empty({**dict(source), **own, "alertname": rule.name}).items())
        if key in found:
            sentence = f"rule {rule.name}: two of its series give an alert of the same labels"
            raise SameLabels(sentence, rule=rule.name, labels=dict(key))
        found[key] = (source, value)
    return found


def _posted(rule: Rule, fact: RuleChanged, old: Known | None) -> Iterable[Posted]:
    """An alert that fires is told at every evaluation, one that ended once."""
    was_told = old is not None and old.active.state is not RuleState.PENDING
    if fact.active is None and not was_told:
        return
    if fact.active is not None and fact.active.state is RuleState.PENDING:
        return
    yield Posted(
        labels=fact.labels,
        annotations={
            "series": rule.conditions[0].measure.metric,  # what a message's link to a chart draws
            **{name: filled(text, fact.source, fact.number) for name, text in rule.annotations.items()},
        },
        starts_at_ns=_fired_ns(fact, old),
        ends_at_ns=fact.at_ns if fact.active is None else None,
    )


def _fired_ns(fact: RuleChanged, old: Known | None) -> int | None:
    known = fact.active or (None if old is None else old.active)
    if known is None:
        return None
    return known.since_ns if known.fired_ns is None else known.fired_ns
