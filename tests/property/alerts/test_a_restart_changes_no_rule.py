"""Restarts that lose every sample: as soon as a series is seen again, its alerts are as if nothing had happened."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook, RuleChanged
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

S = 1_000_000_000
SCRAPE_S, LOOK_S = 30, 10
LEVELS = {"a": st.sampled_from([50, 90, 150]), "b": st.sampled_from([50, 150])}
levels = st.lists(st.fixed_dictionaries(LEVELS), min_size=2, max_size=25)


def rules_of(for_s: int, keep_s: int, clear: float | None) -> RulesConfig:
    rule = {"kind": "threshold", "name": "High", "metric": "lag", "threshold": 100, "clear": clear, "for": for_s,
            "keep_firing_for": keep_s}  # fmt: skip
    return msgspec.convert({"watch": [rule]}, RulesConfig)


class World:
    """A rule book, its stored facts, and a process that may die."""

    def __init__(self, config: RulesConfig) -> None:
        self.config = config
        self.stored: list[bytes] = []
        self.book: RuleBook = books_of(config).rules
        self.samples: Samples = self.book.samples()

    def die(self, now_ns: int) -> None:
        self.book = books_of(self.config).rules
        for body in self.stored:
            self.book.apply(msgspec.json.decode(body, type=RuleChanged))
        self.samples = self.book.samples()
        self.book.start(now_ns)

    def look(self, now_ns: int) -> list[tuple[str, str]]:
        self.stored += [msgspec.json.encode(fact) for fact in self.book.evaluate(self.samples, now_ns).facts]
        alive = self.book.alive()["High"]
        return sorted((one.labels["feed"], one.active.state.value) for one in alive)


@given(
    levels,
    st.sampled_from([0, 30, 60]),
    st.sampled_from([0, 60]),
    st.sampled_from([None, 80]),
    st.sets(st.integers(0, 75), min_size=1, max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_alerts_are_the_same_whenever_their_series_has_just_been_seen(
    values: list[dict[str, int]], for_s: int, keep_s: int, clear: float | None, deaths: set[int]
) -> None:
    config = rules_of(for_s, keep_s, clear)
    plain, dying = World(config), World(config)

    for look in range(len(values) * SCRAPE_S // LOOK_S):
        now_ns = look * LOOK_S * S
        if look in deaths:
            dying.die(now_ns)
        is_fresh = look * LOOK_S % SCRAPE_S == 0
        for feed, value in values[look * LOOK_S // SCRAPE_S].items() if is_fresh else ():
            for world in (plain, dying):
                world.samples.add("lag", {"feed": feed}, now_ns, float(value))
        seen, seen_by_dying = plain.look(now_ns), dying.look(now_ns)
        if is_fresh:
            assert seen == seen_by_dying


class Monitored:
    """A heartbeat rule, its stored facts, and a process that may die; `beat` is a program of others."""

    def __init__(self) -> None:
        rule = {"kind": "heartbeat", "name": "Silent", "monitor": "backup", "timeout": 100}
        self.config = msgspec.convert({"watch": [rule]}, RulesConfig)
        self.stored: list[tuple[str, bytes]] = []
        self.die(0)

    def die(self, now_ns: int) -> None:
        self.books = books_of(self.config)
        self.samples = self.books.rules.samples()
        for kind, body in self.stored:
            fact = body_of(kind, body)
            assert fact is not None
            self.books.apply(fact)
        self.keep(self.books.beats.start(self.samples, now_ns))
        self.books.rules.start(now_ns)

    def beat(self, now_ns: int) -> None:
        self.keep(self.books.beats.hear("backup", self.samples, now_ns))

    def look(self, now_ns: int) -> int:
        self.keep(self.books.rules.evaluate(self.samples, now_ns).facts)
        return len(self.books.rules.alive()["Silent"])

    def keep(self, facts: Any) -> None:
        self.stored += [(fact.kind, msgspec.json.encode(fact)) for fact in facts]


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
@settings(max_examples=100, deadline=None)
def test_a_heart_is_missed_at_the_same_times_however_often_its_listener_dies(beats: set[int], deaths: set[int]) -> None:
    plain, dying = Monitored(), Monitored()

    for look in range(61):
        now_ns = look * LOOK_S * S
        if look in deaths:
            dying.die(now_ns)
        for world in (plain, dying) if look in beats else ():
            world.beat(now_ns)
        assert plain.look(now_ns) == dying.look(now_ns)


class Windowed(World):
    """A rule with a window, and a metrics history that knows what the processes before had seen."""

    def __init__(self, config: RulesConfig) -> None:
        super().__init__(config)
        self.seen: list[tuple[int, float]] = []

    def see(self, now_ns: int, value: float) -> None:
        self.seen.append((now_ns, value))
        self.samples.add("lag", {"feed": "a"}, now_ns, value)

    def die(self, now_ns: int) -> None:
        super().die(now_ns)
        if self.seen:
            times, values = [at_ns for at_ns, _ in self.seen], [value for _, value in self.seen]
            self.samples.fill("lag", {"feed": "a"}, times, values)
        self.book.start(now_ns, {"lag": 0})


@given(
    st.lists(st.sampled_from([0.0, 60.0, 150.0, 400.0]), min_size=2, max_size=40),
    st.sampled_from(["avg", "max", "min", "increase", "delta", "changes", "until_above"]),
    st.sets(st.integers(0, 40), min_size=1, max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_with_a_history_a_window_is_as_if_nothing_had_happened(
    values: list[float], function: str, deaths: set[int]
) -> None:
    rule = {"kind": "threshold", "name": "High", "metric": "lag", "function": function, "window": 60, "threshold": 100}
    config = msgspec.convert({"watch": [rule]}, RulesConfig)
    plain, dying = Windowed(config), Windowed(config)

    for look, value in enumerate(values):
        now_ns = (1_000 + look * LOOK_S) * S
        if look in deaths:
            dying.die(now_ns - 1)
        for world in (plain, dying):
            world.see(now_ns, value)
        assert plain.look(now_ns) == dying.look(now_ns)
