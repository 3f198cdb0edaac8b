"""Heartbeats over restarts of ours: only a real beat ends what is missed, and no restart puts a miss off."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.alerts.rule_bench import S, books, firing
from trading_orchestrator.perpetual_operations.alerts.rules.config import Books
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

RULE: dict[str, Any] = {"kind": "heartbeat", "name": "NoBackup", "monitor": "backup", "timeout": 600}


class Listener:
    """The rules of one process after the other; each knows nothing but the stored facts of those before."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.stored: list[tuple[str, bytes]] = []
        self.rules: tuple[dict[str, Any], ...] = rules or (RULE,)
        self.books: Books = books(*self.rules)
        self.samples: Samples = self.books.rules.samples()

    def start(self, at_s: float) -> None:
        self.books = books(*self.rules)
        self.samples = self.books.rules.samples()
        for kind, body in self.stored:
            fact = body_of(kind, body)
            assert fact is not None
            self.books.apply(fact)
        self.keep(self.books.beats.start(self.samples, round(at_s * S)))
        self.books.rules.start(round(at_s * S))

    def beat(self, at_s: float) -> int:
        return self.keep(self.books.beats.hear("backup", self.samples, round(at_s * S)))

    def missed(self, at_s: float) -> list[str]:
        self.keep(self.books.rules.evaluate(self.samples, round(at_s * S)).facts)
        return firing(self.books.rules)

    def keep(self, facts: Any) -> int:
        self.stored += [(fact.kind, msgspec.json.encode(fact)) for fact in facts]
        return len(facts)


def test_what_is_missed_stays_missed_over_restarts_until_a_real_beat() -> None:
    one = Listener()
    one.start(0)
    one.beat(10)
    assert ["NoBackup"] == one.missed(610)

    for second in (700, 1000, 5000):
        one.start(second)
        assert ["NoBackup"] == one.missed(second)
        assert ["NoBackup"] == one.missed(second + 299)
    one.beat(6000)
    assert [] == one.missed(6000)


def test_restarts_more_often_than_the_time_out_put_nothing_off() -> None:
    one = Listener()
    found = []

    for second in range(0, 900, 100):
        one.start(second)
        found.append((second, one.missed(second)))

    assert [600, 700, 800] == [second for second, names in found if names]


def test_a_beat_is_known_to_the_next_process() -> None:
    one = Listener()
    one.start(0)
    one.beat(500)
    one.start(590)

    assert [] == one.missed(1099)
    assert ["NoBackup"] == one.missed(1100)


@pytest.mark.parametrize("is_known", [True, False])
def test_beats_in_quick_succession_are_few_facts_and_a_successor_is_off_by_a_hundredth(is_known: bool) -> None:
    one = Listener()
    one.start(0)
    facts = sum(one.beat(1 + tenth / 10) for tenth in range(600))
    if not is_known:
        one.start(61)

    assert 10 == facts
    assert [] == one.missed(60.9 + 600 * 0.99)
    assert ["NoBackup"] == one.missed(60.9 + 600)


def test_a_program_that_was_not_watched_for_a_while_is_waited_for_anew() -> None:
    one = Listener()
    one.start(0)
    one.rules = ({**RULE, "monitor": "report"},)
    one.start(10_000)
    one.rules = (RULE,)
    one.start(20_000)

    assert [] == one.missed(20_599)
    assert ["NoBackup"] == one.missed(20_600)


def test_a_snapshot_holds_the_last_beats() -> None:
    one = Listener()
    one.start(0)
    one.beat(500)
    one.stored = [(fact.kind, msgspec.json.encode(fact)) for fact in one.books.snapshot(510 * S)]
    one.start(600)

    assert {"backup": 500 * S} == one.books.beats.heard_ns
