"""A leak that was judged and load that was shed are facts that the shipped rules tell of."""

from __future__ import annotations

import pytest

from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule, fields_of
from trading_orchestrator.perpetual_operations.monitoring.guards import STREAM
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import Judged
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import Suspicion
from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Cause, Site, Verdict
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import LoadMoved
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


def test_what_is_given_up_is_told_until_it_is_taken_back() -> None:
    fields = fields_of(STREAM, canonical_json(LoadMoved("a-1", "sampling", "cpu", 0.99, 0.9, "slower")))

    assert rule("LoadShed").takes("load.shed", fields)
    assert {"node": "a-1", "step": "sampling"} == rule("LoadShed").key(fields)
    assert ("load.restored",) == rule("LoadShed").until
