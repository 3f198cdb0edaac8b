"""A leak that was judged and load that was shed are facts that the shipped rules tell of."""

from __future__ import annotations

import pytest

from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.fact_book import FactBook
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule, fields_of
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import Judged
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import Suspicion
from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Cause, Site, Verdict
from trading_orchestrator.perpetual_operations.monitoring.resources.facts import STREAM, LoadEased, LoadMoved
from trading_orchestrator.storage.chain import canonical_json

SUSPICION = Suspicion(60.0, 5e5, 1e8, 100.0, 9.0)


def rule(name: str) -> FactRule:
    found = next(each for each in shipped_rules() if each.name == name)
    assert isinstance(found, FactRule)
    return found


@pytest.mark.parametrize(("cause", "is_told"), [(Cause.SITE, True), (Cause.NATIVE, True), (Cause.NONE, False)])
def test_a_leak_is_told_with_its_line(cause: Cause, is_told: bool) -> None:
    verdict = Verdict(cause, (Site("desk.py:7", 5e5, 0.9),))
    fields = fields_of(STREAM, canonical_json(Judged("a-1", SUSPICION, verdict, "desk.py:7 keeps it")))

    assert is_told == rule("MemoryLeak").takes("leak.judged", fields)
    assert {"node": "a-1"} == rule("MemoryLeak").key(fields)
    assert "desk.py:7 keeps it" == fields["sentence"]


def step(resource: str, says: str) -> LoadMoved:
    return LoadMoved("a-1", says, resource, 0.99, 0.9, says, "CPU of the host is at 99 %, its limit is 90 %")


def test_one_alert_tells_the_latest_step_and_ends_when_all_is_taken_back() -> None:
    book, told = FactBook([rule("LoadShed")]), list[Posted]()
    facts: list[tuple[str, object]] = [
        ("load.shed", step("cpu", "slower")),
        ("load.shed", step("memory", "caches")),
        ("load.shed", step("cpu", "jobs wait")),
        ("load.restored", step("cpu", "jobs wait")),
        ("load.eased", LoadEased("a-1", "cpu", "at ease")),
    ]
    for pos, (kind, body) in enumerate(facts, start=1):
        told += book.see(stream=STREAM, kind=kind, body=canonical_json(body), pos=pos, now_ns=pos).alerts

    assert ["cpu", "memory", "cpu", "cpu"] == [one.labels["resource"] for one in told]
    assert [None, None, None, 5] == [one.ends_at_ns for one in told]
    assert {one.labels["node"] for one in told} == {"a-1"}
    summary = "Node a-1 gives up load because CPU of the host is at 99 %, its limit is 90 %; lately: jobs wait."
    assert summary == told[2].annotations["summary"]
