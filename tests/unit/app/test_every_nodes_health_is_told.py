"""Whoever serves the console tells how every node finds itself: a broker that only the trader sees down is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.unit.desk.world import Node, World
from trading_orchestrator.app.desk_watch import watch_desk
from trading_orchestrator.app.venue_pulse import VenuePulse, heard_broker
from trading_orchestrator.app.venue_watch import VenueWatch
from trading_orchestrator.brokers.stream_watch import StreamState
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts
from trading_orchestrator.perpetual_operations.alerts.readings import of_health
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.health.of_all_nodes import merged
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.live import LiveFile, NodeNow
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings

S = 1_000_000_000
BROKER = "broker/practice"


class Watched:
    """One node with the desk: its manager, and what it hears of the venue."""

    def __init__(self, world: World, data_dir: Path, name: str) -> None:
        self.world = world
        self.operations = PerpetualOperationsManager(
            OperationsConfig(alerts=AlertsConfig(enabled=False)),
            store=world.store,
            clock=world.clock,
            data_dir=data_dir,
            node=name,
        )
        self.node: Node = world.node("Moody", {"fails_at": "9", "turns_at": "9"})
        self.pulse = VenuePulse(world.clock)
        broker = heard_broker(self.node.broker, self.pulse)
        part = VenueWatch(self.operations).watch("practice", self.node.desk, self.pulse, StreamState)
        watch_desk(self.operations, self.node.desk, part, self.pulse, broker.clock_offset_s)
        self.file = LiveFile(data_dir / "live" / name)

    async def checks(self) -> None:
        checking = asyncio.ensure_future(self.operations.health.check())
        await self.world.until_done(checking)

    def now(self) -> NodeNow:
        sample = Gauge(Path("/")).take(1, self.world.clock.boot_ns(), LoopReadings())
        return NodeNow(self.operations.node, self.world.clock.boot_ns(), sample, health=self.operations.report)


async def both(world: World, data_dir: Path) -> tuple[Watched, Watched]:
    """Return the node with the console, which stands by, and the trader, which cannot reach its venue."""
    console, trader = (Watched(world, data_dir, name) for name in ("a-1", "b-1"))
    await world.start(trader.node)
    await world.warm(console.node)
    trader.pulse.failed(Transient("connection refused"))
    for _ in range(4):
        await world.run(1.0)
        await trader.checks()
        await console.checks()
    trader.file.write(trader.now())
    return console, trader


async def test_a_broker_that_only_the_trader_sees_down_is_told_by_the_console(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        console, _ = await both(world, tmp_path)
        transport = httpx2.ASGITransport(app=console.operations.console_app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            metrics = (await client.get("/metrics")).text
            health = (await client.get("/api/dashboard/health")).json()
            overview = (await client.get("/api/dashboard/overview")).json()
            page = (await client.get("/dashboard")).text

    (check,) = health["checks"][BROKER]
    said = f"On node b-1: {BROKER} is unhealthy: no answer for 4 s: connection refused"
    assert [f'trading_health_up{{node="b-1",part="{BROKER}"}} 0.0'] == [
        line for line in metrics.splitlines() if line.startswith("trading_health_up") and BROKER in line
    ]
    assert ["b-1"] == [line.split('"')[1] for line in metrics.splitlines() if "up{node" in line and "desk/" in line]
    assert ("fail", "fail", "b-1", "no answer for 4 s: connection refused") == (
        health["status"],
        check["status"],
        check["node"],
        check["output"],
    )
    assert health["output"].startswith(said)
    assert [BROKER] == health["root_causes"]
    assert ("unhealthy", True) == (
        overview["verdict"]["state"],
        any(each.startswith(said) for each in (overview["verdict"]["sentence"], *overview["verdict"]["more"])),
    )
    assert "no answer for 4 s: connection refused · node b-1" in page


async def test_the_shipped_rule_fires_for_what_only_the_trader_sees(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        console, trader = await both(world, tmp_path)
        readings = list(of_health(console.operations.report, [console.now(), trader.now()]))
    rules = load_alerts(AlertsConfig(), source="a test").books().rules
    samples = rules.samples()
    fired: list[Posted] = []
    for second in range(60):
        for metric, labels, value in readings:
            samples.add(metric, labels, second * S, value)
        fired += rules.evaluate(samples, second * S).alerts

    assert {("PartUnhealthy", BROKER)} == {
        (alert.labels["alertname"], alert.labels["part"]) for alert in fired if alert.labels["severity"] == "critical"
    }


def part(name: str, state: HealthState = HealthState.HEALTHY, *, elsewhere: bool = False) -> PartHealth:
    return PartHealth(name, state, "", (), (), 0.1, 1, elsewhere=elsewhere)


def report(node: str, *parts: PartHealth, verdict: str = "All well.") -> HealthReport:
    bad = [each for each in parts if each.state is not HealthState.HEALTHY]
    state = bad[0].state if bad else HealthState.HEALTHY
    return HealthReport(1, state, verdict, tuple(each.name for each in bad), parts, node)


def test_what_both_nodes_see_is_said_once_and_what_one_stands_by_for_is_the_others() -> None:
    down, standing_by = HealthState.UNHEALTHY, part("desk/x", elsewhere=True)
    own = report("a", part("journal", down), standing_by, verdict="journal is unhealthy: locked.")
    other = report("b", part("journal", down), part("desk/x"), part("tool"), verdict="journal is unhealthy: locked.")

    found = merged(own, [other])

    assert ("journal is unhealthy: locked.", ("journal",)) == (found.verdict, found.root_causes)
    assert [("journal", "a"), ("journal", "b"), ("desk/x", "b"), ("tool", "b")] == [
        (each.name, each.node) for each in found.parts
    ]


def test_the_worst_node_is_named_first() -> None:
    own = report("a", part("cpu", HealthState.DEGRADED), verdict="CPU is degraded: busy.")
    other = report("b", part("desk/x", HealthState.UNHEALTHY), verdict="desk/x is unhealthy: no data.")

    found = merged(own, [other])

    assert "On node b: desk/x is unhealthy: no data. CPU is degraded: busy." == found.verdict
    assert HealthState.UNHEALTHY is found.state


@pytest.mark.parametrize("names", [("journal", {()}), ("event_loop", {("a",), ("b",)})])
def test_one_thing_alerts_once_and_each_nodes_own_thing_by_node(names: tuple[str, set[tuple[str, ...]]]) -> None:
    name, expected = names
    own, other = (report(node, part(name, HealthState.UNHEALTHY)) for node in ("a", "b"))
    sample = Gauge(Path("/")).take(1, 1, LoopReadings())

    found = [
        labels
        for metric, labels, _ in of_health(own, [NodeNow("b", 1, sample, health=other)])
        if metric == "health_badness"
    ]

    assert expected == {tuple(labels[key] for key in labels if key == "node") for labels in found}
    assert len(expected) == len(found)


def test_a_live_file_of_an_older_release_tells_no_health(tmp_path: Path) -> None:
    class Older(msgspec.Struct):
        node: str
        at_boot_ns: int

    found = msgspec.msgpack.decode(
        msgspec.msgpack.encode(
            {**msgspec.structs.asdict(Older("b", 1)), "sample": Gauge(tmp_path).take(1, 1, LoopReadings())}
        ),
        type=NodeNow,
    )

    assert None is found.health
