"""Rules with a window over a restart: filled in from the history, or left as they were until the window is covered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from tests.unit.alerts.rule_bench import S, books, firing
from trading_orchestrator.perpetual_operations.alerts.past import Past, SeriesPast, known_from
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook, RuleChanged
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Line

FILLS: dict[str, Any] = {
    "kind": "predictive", "name": "Fills", "metric": "used", "limit": 1.0, "within": 7200, "window": 3600,
}  # fmt: skip
BURNS: dict[str, Any] = {"kind": "burn_rate", "name": "Orders", "bad": "bad", "total": "all", "objective": 0.999}
HOUR, DAY = 3600, 86_400
Values = Callable[[int], Mapping[str, float]]


def filling(second: int) -> Mapping[str, float]:
    return {"used": second / 20_000}


def burning(second: int) -> Mapping[str, float]:
    return {"all": second * 1.0, "bad": second * 0.02}


def healthy(second: int) -> Mapping[str, float]:
    return {"all": second * 1.0, "bad": 0.0}


class Process:
    """The rules of one process after the other; `past` is what the metrics history knows of those before."""

    def __init__(self, rule: dict[str, Any], values: Values, step_s: int = 60) -> None:
        self.rule, self.values, self.step_s = rule, values, step_s
        self.stored: list[bytes] = []
        self.seen: dict[str, list[tuple[int, float]]] = {}
        self.told: list[tuple[str, bool]] = []
        self.book: RuleBook = books(rule).rules
        self.samples: Samples = self.book.samples()

    def lives(self, from_s: int, until_s: int) -> list[str]:
        """Look every step; return what fires at the end."""
        self.told = []
        for second in range(from_s, until_s + 1, self.step_s):
            self.sees(second)
            found = self.book.evaluate(self.samples, second * S)
            self.stored += [msgspec.json.encode(fact) for fact in found.facts]
            self.told += [(one.labels["alertname"], one.ends_at_ns is not None) for one in found.alerts]
        return firing(self.book)

    def sees(self, second: int) -> None:
        for metric, value in self.values(second).items():
            self.samples.add(metric, {}, second * S, value)
            self.seen.setdefault(metric, []).append((second * S, value))

    def has_been_well(self, until_s: int) -> None:
        """Let time pass in which nothing fires, so that nobody need look."""
        for second in range(0, until_s, self.step_s):
            self.sees(second)
        assert [] == self.lives(until_s, until_s)

    def restarts(self, at_s: int, *, with_history: bool) -> None:
        self.book = books(self.rule).rules
        for fact in self.stored:
            known = body_of(RuleChanged.kind, fact)
            assert isinstance(known, RuleChanged)
            self.book.apply(known)
        self.samples = self.book.samples()
        past = self.past() if with_history else []
        for one in past:
            self.samples.fill(one.metric, one.labels, one.at_ns, one.values)
        self.book.start(at_s * S, known_from(past))

    def past(self) -> list[SeriesPast]:
        return [
            SeriesPast(metric=metric, labels={}, at_ns=[at for at, _ in seen], values=[value for _, value in seen])
            for metric, seen in self.seen.items()
        ]


@pytest.mark.parametrize("with_history", [True, False])
@pytest.mark.parametrize(("rule", "values", "name"), [(FILLS, filling, "Fills"), (BURNS, burning, "OrdersBurns1h")])
def test_what_fires_goes_on_firing_and_is_told_at_every_look(
    rule: dict[str, Any], values: Values, name: str, with_history: bool
) -> None:
    one = Process(rule, values)
    assert name in one.lives(2 * HOUR, 4 * HOUR)

    one.restarts(4 * HOUR + 10, with_history=with_history)
    assert name in one.lives(4 * HOUR + 60, 5 * HOUR)
    assert not [what for what, is_over in one.told if what == name and is_over]
    assert 60 == len([what for what, _ in one.told if what == name][:60])


def test_with_history_an_end_comes_when_it_would_have_come() -> None:
    def recovering(second: int) -> Mapping[str, float]:
        return {"all": second * 1.0, "bad": min(second, 4 * HOUR) * 0.02}

    plain, restarted = Process(BURNS, recovering), Process(BURNS, recovering)
    for one in (plain, restarted):
        assert "OrdersBurns1h" in one.lives(0, 4 * HOUR)
    restarted.restarts(4 * HOUR + 10, with_history=True)

    ends = [4 * HOUR + 60 + 300, 4 * HOUR + 60 + 600]
    assert [plain.lives(end - 300, end) for end in ends] == [restarted.lives(end - 300, end) for end in ends]
    assert "OrdersBurns1h" not in firing(restarted.book)


@pytest.mark.parametrize("with_history", [True, False])
def test_one_bad_event_after_a_healthy_day_and_a_restart_makes_no_ticket(with_history: bool) -> None:
    def one_bad(second: int) -> Mapping[str, float]:
        return {"all": second * 1.0, "bad": 1.0 if second >= DAY + 120 else 0.0}

    one = Process(BURNS, one_bad)
    one.has_been_well(DAY)
    one.restarts(DAY + 10, with_history=with_history)
    assert [] == one.lives(DAY + 60, DAY + HOUR)


def test_without_history_it_fires_again_once_its_window_is_covered() -> None:
    one = Process(BURNS, burning)
    one.restarts(0, with_history=False)

    assert [] == one.lives(0, HOUR - 60)
    assert ["OrdersBurns1h"] == one.lives(HOUR, HOUR)


def test_with_history_it_fires_at_once() -> None:
    def breaking(second: int) -> Mapping[str, float]:
        return {"all": second * 1.0, "bad": max(0, second - 4 * DAY) * 0.5}

    one = Process(BURNS, breaking)
    one.has_been_well(4 * DAY)
    one.restarts(4 * DAY + 10, with_history=True)
    assert "OrdersBurns1h" in one.lives(4 * DAY + 60, 4 * DAY + 600)


def test_the_first_process_ever_has_no_past_to_wait_for() -> None:
    one = Process(BURNS, burning)
    one.book.start(10 * DAY * S, dict.fromkeys(one.book.windows(), 0))

    assert "OrdersBurns1h" in one.lives(10 * DAY, 10 * DAY + 600)


def test_a_counter_that_has_grown_too_much_already_need_not_wait() -> None:
    rule = {"kind": "threshold", "name": "Many", "metric": "refused", "function": "increase", "window": 300,
            "across": "sum", "threshold": 10}  # fmt: skip
    one = Process(rule, lambda second: {"refused": second * 1.0}, step_s=10)
    one.restarts(0, with_history=False)

    assert ["Many"] == one.lives(10, 40)


def test_a_mean_of_a_part_of_its_window_makes_no_alert_and_ends_none() -> None:
    rule = {"kind": "threshold", "name": "Hot", "metric": "heat", "function": "avg", "window": 300, "threshold": 50}
    heat = {"value": 90.0}
    one = Process(rule, lambda second: {"heat": heat["value"]}, step_s=10)
    one.restarts(0, with_history=False)
    assert [] == one.lives(10, 290)
    assert ["Hot"] == one.lives(300, 300)

    heat["value"] = 10.0
    one.restarts(305, with_history=False)
    assert ["Hot"] == one.lives(310, 600)
    assert [] == one.lives(610, 610)


def test_what_was_pending_stays_pending_until_the_window_is_covered() -> None:
    rule = {"kind": "threshold", "name": "Hot", "metric": "heat", "function": "avg", "window": 300, "threshold": 50,
            "for": 100}  # fmt: skip
    one = Process(rule, lambda second: {"heat": 90.0}, step_s=10)
    one.lives(0, 50)
    one.restarts(60, with_history=False)

    assert [] == one.lives(60, 350)
    assert ["Hot"] == one.lives(360, 360)


def test_no_data_is_not_told_of_a_window_that_nobody_watched() -> None:
    one = Process(BURNS, lambda second: {})
    one.restarts(0, with_history=False)

    assert [] == one.lives(0, 840)
    assert ["OrdersNoData"] == one.lives(900, 900)


class Kept:
    """A metrics history with these series: name and node, and samples as (second, value)."""

    def __init__(self, **series: Sequence[tuple[int, float]]) -> None:
        self.by_name = {name.replace("__", "@"): samples for name, samples in series.items()}
        self.asked: list[tuple[str, int, int]] = []

    async def series(self) -> Sequence[Line]:
        return [
            Line(name, name.partition("@")[0], name.partition("@")[2], samples[0][0] * S, samples[-1][0] * S)
            for name, samples in self.by_name.items()
        ]

    async def samples(
        self, series: str, start_ns: int, end_ns: int, *, sparse_before_ns: int = 0
    ) -> tuple[list[int], list[float]]:
        self.asked.append((series, start_ns // S, sparse_before_ns // S))
        name = series if "@" in series else next(name for name in self.by_name if name.startswith(f"{series}@"))
        found = [(at_s * S, value) for at_s, value in self.by_name[name] if start_ns <= at_s * S < end_ns]
        return [at_ns for at_ns, _ in found], [value for _, value in found]


HOST = (("disk_used_ratio", "trading_disk_used_ratio", "Disk"),)
NODE = (("loop_lag_s", "trading_loop_lag_seconds", "Lag"),)


async def past_of(kept: Kept, *rules: dict[str, Any], now_s: int = 10_000) -> list[tuple[str, dict[str, str], int]]:
    found = await Past(kept, host=HOST, node=NODE).of(books(*rules).rules.windows(), now_s * S)
    return [(one.metric, one.labels, len(one.at_ns)) for one in found]


def threshold(metric: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "threshold", "name": metric, "metric": metric, "window": 3600, "threshold": 1, **fields}


async def test_the_history_is_asked_under_its_names_and_answers_under_those_of_the_rules() -> None:
    kept = Kept(
        disk_used_ratio__a=[(9_000, 0.5), (9_999, 0.6)],
        loop_lag_s__a=[(9_000, 0.1)],
        loop_lag_s__b=[(9_500, 0.1)],
        other__a=[(9_000, 1.0)],
        **{'orders_total{desk="x"}__a': [(9_000, 1.0), (9_100, 2.0)], "loop_lag_s__dead": [(10, 0.1)]},
    )
    rules = (
        threshold("trading_disk_used_ratio", function="avg"),
        threshold("trading_loop_lag_seconds", function="max"),
        threshold("orders_total", function="increase", across="sum"),
        threshold("trading_desk_mode", function="last", window=None),
    )

    assert [
        ("trading_disk_used_ratio", {}, 2),
        ("trading_loop_lag_seconds", {"node": "a"}, 1),
        ("trading_loop_lag_seconds", {"node": "b"}, 1),
        ("orders_total", {"desk": "x", "node": "a"}, 2),
    ] == await past_of(kept, *rules)
    assert [("disk_used_ratio", 6_400, 0), ('orders_total{desk="x"}@a', 6_400, 6_400)] == [
        kept.asked[0],
        kept.asked[-1],
    ]


@pytest.mark.parametrize(
    "fields", [{"by": ["route"], "across": "sum"}, {"where": ['route="/x"'], "across": "sum"}, {"across": None}]
)
async def test_a_sum_over_what_a_rule_asks_for_is_of_no_use_to_it(fields: dict[str, Any]) -> None:
    kept = Kept(**{'answers_total{status="500"}__a': [(9_000, 1.0)]})

    assert [] == await past_of(kept, threshold("answers_total", function="increase", **fields))
