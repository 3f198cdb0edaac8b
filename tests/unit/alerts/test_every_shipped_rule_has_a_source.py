"""The shipped rules look at numbers and facts that something in the program really tells, by the labels it tells."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import msgspec
import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.app.metering.store import metered_store
from trading_orchestrator.app.metering.venue import metered_broker, metered_feed
from trading_orchestrator.brokers.port import NoAnswer
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts import runtime
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as escalation
from trading_orchestrator.perpetual_operations.alerts.loading import shipped_rules
from trading_orchestrator.perpetual_operations.alerts.matchers import parse_matchers
from trading_orchestrator.perpetual_operations.alerts.measuring_operations import Measuring
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.rules.config import AnyRule
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.runtime import CHANGED, REFUSED, PlanRefused, PlanRow
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.incidents import facts as incidents
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import _show_only
from trading_orchestrator.perpetual_operations.monitoring.analytics.shown_series import EXHAUSTION
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.leaks import memory_leak_detector
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.metrics import Metrics
from trading_orchestrator.perpetual_operations.monitoring.resources import resource_monitor
from trading_orchestrator.perpetual_operations.monitoring.resources.facts import LoadEased, LoadMoved
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.storage.ports import Fact, LeaseRow, NewFact, ProjectionRow
from trading_orchestrator.trading import facts as trading

SHIPPED: Mapping[str, AnyRule] = {rule.name: rule for rule in shipped_rules()}
FACTS = {name: rule for name, rule in SHIPPED.items() if isinstance(rule, FactRule)}
NUMBERS = {name: rule for name, rule in SHIPPED.items() if not isinstance(rule, FactRule)}
TOLD: Mapping[str, Any] = {
    **trading.KINDS,
    **incidents.KINDS,
    **escalation.KINDS,
    CHANGED: PlanRow,
    REFUSED: PlanRefused,
    "leak.judged": memory_leak_detector.Judged,
    "load.shed": LoadMoved,
    LoadEased.kind: LoadEased,
}


class Journal(EmptyStore):
    """Holds what a desk and its lease leave there; takes everything."""

    async def append(self, *args: object, **kwargs: object) -> list[Fact]:
        return []

    async def rows(self, projection: str, **kwargs: object) -> list[ProjectionRow]:
        desk = {"desk": "practice", "mode": "halted", "unknown_orders": 1, "blocked": {"EUR/USDT": {}}}
        return [ProjectionRow("practice", msgspec.json.encode(desk), 1)]

    async def leases(self) -> list[LeaseRow]:
        return [LeaseRow("desk/practice", "a", 1, 10**18, "boot")]


class Venue:
    """Answers nothing, and streams one thing."""

    async def submit(self, order: object) -> None:
        raise NoAnswer("nothing came", cl_ord_id="to-1")

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[object]:
        yield object()


async def metered() -> Meter:
    """Return a meter after all that is counted has happened once, by those who count it in a node."""
    meter, clock, venue = Meter(), VirtualClock(), cast("Any", Venue())
    refused = NewFact("desk/practice", "order.refused", {})
    await metered_store(Journal(), meter, clock).append([refused], node="a", fence=None)
    with pytest.raises(NoAnswer):
        await metered_broker(venue, meter, clock, desk="practice").submit(cast("Any", None))
    async for _ in metered_feed(venue, meter, clock, desk="practice").events(["EUR/USDT"]):
        pass
    Metrics(cast("Any", None), meter).count_answer("GET", "/api/orders", 500, 0.1)
    _show_only(meter, EXHAUSTION, "until it is used up", "resource", {"disk": 60.0})
    return meter


@pytest.fixture
async def readings() -> list[Reading]:
    """What one round of measuring finds, on a host and in a node where everything has a value."""
    part = PartHealth("alerts", HealthState.UNHEALTHY, "no channel", (), (), 1.0, 0)
    report = HealthReport(0, HealthState.UNHEALTHY, "down", ("alerts",), (part,), "a")
    sample = msgspec.structs.replace(
        Gauge(Path("/")).take(1, 1, LoopReadings()), clock_offset_s=0.1, host_cpu_ratio=0.1
    )
    node = NodeNow("a", 0, sample, tuple((await metered()).read()), report)
    measuring = Measuring(Journal(), VirtualClock(), nodes=lambda: [node], report=lambda: report, boot_id="boot")
    return await measuring.read()


@pytest.mark.parametrize("name", NUMBERS)
def test_what_a_rule_measures_is_measured_by_the_labels_it_asks_for(name: str, readings: list[Reading]) -> None:
    told: dict[str, set[str]] = {}
    for metric, labels, _ in readings:
        told.setdefault(metric, set()).update(labels)
    measures = [one for rule in NUMBERS[name].rules() for one in measures_of(rule)]

    assert measures
    assert [] == [one.metric for one in measures if one.metric not in told]
    for one in measures:
        asked = {*one.by, *(matcher.name for matcher in parse_matchers(one.where))}
        assert asked <= told[one.metric], (one.metric, told[one.metric])


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_a_rule_waits_for_is_told_with_the_fields_it_asks_for(name: str) -> None:
    rule = FACTS[name]
    asked = {*rule.by, *(matcher.name for matcher in parse_matchers(rule.where))}

    assert asked <= fields_of(TOLD[rule.fact])
    for kind in rule.until:
        known = fields_of(TOLD[kind])
        assert set(rule.by) <= known or set(rule.until_by or rule.by) <= known, kind


@pytest.mark.parametrize(
    ("module", "kind"), [(memory_leak_detector, "leak.judged"), (resource_monitor, "load.shed"), (runtime, REFUSED)]
)
def test_facts_that_have_no_class_of_their_own_are_written_by_that_name(module: ModuleType, kind: str) -> None:
    assert f'"{kind}"' in inspect.getsource(module)


def measures_of(rule: Rule) -> Iterator[Measure]:
    for condition in (*rule.conditions, *rule.unless):
        one: Measure | None = condition.measure
        while one is not None:
            yield one
            if one.minus is not None:
                yield one.minus
            one = one.per


def fields_of(body: Any, prefix: str = "") -> set[str]:
    """Return the names that a rule may call the fields by: one within another is `outer_inner`."""
    found = {"stream"} if not prefix else set()
    for field in msgspec.structs.fields(body):
        found.add(prefix + field.encode_name)
        for kind in (field.type, *get_args(field.type)):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                found |= fields_of(kind, f"{prefix}{field.encode_name}_")
    return found
