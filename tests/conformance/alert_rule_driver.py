"""Drives rule cases: the cases' PromQL is put into our rule fields here, once and for all of them.

It knows no case id and never looks at an expectation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.rules.life import RuleState
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Filter, Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook, RuleChanged
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

Case = Mapping[str, Any]
UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
FUNCTION = {
    "avg_over_time": "avg",
    "min_over_time": "min",
    "max_over_time": "max",
    "sum_over_time": "sum",
    "count_over_time": "count",
    "last_over_time": "last_seen",
    "rate": "rate",
    "increase": "increase",
    "delta": "delta",
    "irate": "instant_rate",
    "deriv": "slope",
    "changes": "changes",
    "resets": "resets",
    "predict_linear": "forecast",
    "absent": "absent",
    "absent_over_time": "absent",
}
Conditions = tuple[Condition, ...]
ACROSS = {"sum", "avg", "min", "max", "count"}
COMPARE = {">", ">=", "<", "<=", "==", "!="}
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*\b|[\d.]+(?:e[+-]?\d+)?'
                   r"|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|==|>=|<=|[-+*/%<>=(){}\[\],])")  # fmt: skip


def seconds(text: str | float) -> float:
    """Return Prometheus' duration, e.g. `1h30m`, in seconds."""
    if isinstance(text, int | float):
        return float(text)
    return sum(float(number) * UNIT_S[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def states_of(case: Case, *, crash: bool = False) -> list[list[tuple[dict[str, str], str]]]:
    """Return labels and state of every alert at each check; with `crash`, after a fold before each evaluation."""
    config = case["config"]
    rules = [rule_of(rule) for rule in config["rules"]]
    step_s, lookback_s = seconds(config["step"]), seconds(config["lookback"])
    book = RuleBook(rules, lookback_s=lookback_s)
    samples = Samples(keep_ns=book.keep_ns)
    found: dict[int, list[tuple[dict[str, str], str]]] = {}
    stored: list[bytes] = []
    for number in range(round(max(check["t"] for check in case["checks"]) / step_s) + 1):
        now_ns = round(number * step_s * 1e9)
        _add(samples, case["series"], number, now_ns)
        if crash:
            book = RuleBook(rules, lookback_s=lookback_s)
            for body in stored:
                book.apply(msgspec.json.decode(body, type=RuleChanged))
        evaluation = book.evaluate(samples, now_ns)
        assert not evaluation.broken, evaluation.broken
        stored += [msgspec.json.encode(fact) for fact in evaluation.facts]
        found[now_ns] = [
            (alert.labels, "pending" if alert.active.state is RuleState.PENDING else "firing")
            for alerts in book.alive().values()
            for alert in alerts
        ]
    return [found[round(check["t"] * 1e9)] for check in case["checks"]]


def _add(samples: Samples, series: Any, number: int, now_ns: int) -> None:
    for one in series:
        labels = {name: value for name, value in one["labels"].items() if name != "__name__"}
        value = one["values"][number] if number < len(one["values"]) else None
        if value == "stale":
            samples.add(one["labels"]["__name__"], labels, now_ns, None)
        elif value is not None:
            samples.add(one["labels"]["__name__"], labels, now_ns, float(value))


def rule_of(fields: Mapping[str, Any]) -> Rule:
    """Return a rule in Prometheus' fields as ours."""
    conditions, others, unless = Promql(fields["expr"]).conditions()
    return Rule(
        name=fields["alert"],
        conditions=conditions,
        or_=others,
        unless=unless,
        for_=seconds(fields.get("for", 0)),
        keep_firing_for=seconds(fields.get("keep_firing_for", 0)),
        labels=fields.get("labels", {}),
        annotations=fields.get("annotations", {}),
    )


class Promql:
    """Reads `measure OP number and … or … unless …`; a measure is a series, a function of one, an aggregate of these,
    and what is left of it after another one is divided by or taken away, times a number."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            assert found is not None, f"cannot read {text[at:]!r}"
            self.tokens.append(found[1])
            at = found.end()

    def conditions(self) -> tuple[Conditions, tuple[Conditions, ...], Conditions]:
        """Return the conditions that must hold, others that do as well, and those that must not."""
        found = self._all_of()
        others: tuple[Conditions, ...] = ()
        while self._next() == "or":
            self._take("or")
            others += (self._all_of(),)
        unless: Conditions = ()
        while self._next() == "unless":
            assert not others, f"cannot map {self.text!r}: `unless` takes from the last of several only"
            self._take("unless")
            unless += self._condition()
        assert not self.tokens, f"cannot map {self.text!r}: {self.tokens} is left"
        return found, others, unless

    def _all_of(self) -> tuple[Condition, ...]:
        found = self._condition()
        while self._next() == "and":
            self._take("and")
            found += self._condition()
        return found

    def _condition(self) -> tuple[Condition, ...]:
        if self._next() == "(":
            kept = list(self.tokens)
            self._take("(")
            inside = self._all_of()
            self._take(")")
            if len(inside) > 1 or inside[0].compare is not None:
                return inside
            self.tokens = kept
        measure = self._ratio()
        compare = self._next()
        if compare not in COMPARE:
            return (Condition(measure=measure),)
        self._take(compare)
        return (Condition(measure=measure, compare=compare, threshold=self._number()),)  # type: ignore[arg-type]

    def _ratio(self) -> Measure:
        measure = self._measure()
        while self._next() in {"/", "-", "*"}:
            field = {"/": "per", "-": "minus", "*": "scale"}[self.tokens.pop(0)]
            if NUMBER.fullmatch(self._next()):
                factor = float(self.tokens.pop(0))
                assert field != "minus", f"cannot map {self.text!r}: a number is taken away"
                scale = measure.scale * factor if field == "scale" else measure.scale / factor
                measure = msgspec.structs.replace(measure, scale=scale)
            else:
                measure = msgspec.structs.replace(measure, **{field: self._measure()})
        return measure

    def _measure(self) -> Measure:
        if self._next() == "(":
            self._take("(")
            measure = self._ratio()
            self._take(")")
            return measure
        word = self._word()
        if word == "time":
            return self._age()
        if word in ACROSS and self._next() in {"(", "by"}:
            return self._aggregate(word)
        if self._next() != "(":
            return self._selector(word)
        self._take("(")
        measure = self._selector(self._word())
        horizon_s = 0.0
        if self._next() == ",":
            self._take(",")
            horizon_s = self._number()
        self._take(")")
        return msgspec.structs.replace(measure, function=FUNCTION[word], horizon=horizon_s)

    def _aggregate(self, across: str) -> Measure:
        by = self._by()
        self._take("(")
        measure = self._ratio()
        if self._next() in COMPARE:
            only = Filter(compare=self.tokens.pop(0), threshold=self._number())  # type: ignore[arg-type]
            measure = msgspec.structs.replace(measure, only=only)
        self._take(")")
        return msgspec.structs.replace(measure, across=across, by=by or self._by())

    def _by(self) -> tuple[str, ...]:
        if self._next() != "by":
            return ()
        self._take("by")
        self._take("(")
        names: list[str] = []
        while self._next() != ")":
            names.append(self._word())
            if self._next() == ",":
                self._take(",")
        self._take(")")
        return tuple(names)

    def _age(self) -> Measure:
        """`time() - timestamp(x)` is the age of x's newest sample, `time() - x` of the time it names."""
        for token in ("(", ")", "-"):
            self._take(token)
        word = self._word()
        if word != "timestamp":
            return msgspec.structs.replace(self._selector(word), function="value_age")
        self._take("(")
        measure = self._selector(self._word())
        self._take(")")
        return msgspec.structs.replace(measure, function="sample_age")

    def _selector(self, metric: str) -> Measure:
        where: list[str] = []
        window_s = None
        if self._next() == "{":
            self._take("{")
            while self._next() != "}":
                where.append(f"{self._word()}{self.tokens.pop(0)}{self.tokens.pop(0)}")
                if self._next() == ",":
                    self._take(",")
            self._take("}")
        if self._next() == "[":
            self._take("[")
            window_s = seconds(self.tokens.pop(0))
            self._take("]")
        return Measure(metric=metric, where=tuple(where), window=window_s)

    def _number(self) -> float:
        value = self._factor()
        while self._next() in {"*", "/"}:
            value = value * self._factor() if self.tokens.pop(0) == "*" else value / self._factor()
        return value

    def _factor(self) -> float:
        token = self.tokens.pop(0)
        if token == "(":
            value = self._number()
            self._take(")")
            return value
        if token in {"-", "+"}:
            return -self._factor() if token == "-" else self._factor()
        if token.lower() in {"inf", "nan"}:
            return math.inf if token.lower() == "inf" else math.nan
        if NUMBER.fullmatch(token) is None:
            return seconds(token)
        return float(token)

    def _next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def _word(self) -> str:
        word = self.tokens.pop(0)
        assert WORD.fullmatch(word), f"cannot map {self.text!r}: expected a name, was {word!r}"
        return word

    def _take(self, token: str) -> None:
        assert self._next() == token, f"cannot map {self.text!r}: expected {token!r}, was {self._next()!r}"
        self.tokens.pop(0)
