"""Each shipped ladder: a real detector tells its class of failure, and each of its steps really does something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from tests.leases import holder_of
from tests.unit.desk.strategies import Moody
from tests.unit.desk.world import LEASE, TestSeat, World
from trading_orchestrator.app.desk_watch import offer_trading_repairs, watch_desk, watch_standby
from trading_orchestrator.app.neighbours import Neighbours
from trading_orchestrator.app.trading_ladders import TRADING_LADDERS
from trading_orchestrator.app.venue_pulse import VenuePulse, heard_broker
from trading_orchestrator.app.venue_watch import VenueWatch
from trading_orchestrator.brokers.port import KeyRefused
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.brokers.stream_watch import StreamState
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.journal.deaths import Deaths
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.health.probes.event_loop import event_loop_probe
from trading_orchestrator.perpetual_operations.health.probes.journal import JournalProbe
from trading_orchestrator.perpetual_operations.health.probes.progress import progress_probe
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import Judged
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import Suspicion
from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Cause, Verdict
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import Resource
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.perpetual_operations.recovery.default_ladders import DEFAULT_LADDERS
from trading_orchestrator.storage.connection_pool import PoolConfig
from trading_orchestrator.storage.ports import StorageLocked, StorageUnavailable

BOOT = "00000000-0000-0000-0000-000000000000"
BAD = "1.2000"
ALERTS = {
    "default_rules": False,
    "route": {"receiver": "people"},
    "receivers": {"people": {"channels": ["paper"]}},
    "channels": {"paper": {"kind": "log"}},
}
LADDERS = {ladder.failure: ladder for ladder in (*DEFAULT_LADDERS, *TRADING_LADDERS)}


class Worker:
    """A component of the program that ends as soon as it runs, until it is mended."""

    name = "worker"
    depends_on = ()

    def __init__(self) -> None:
        self.broken = True

    def health(self) -> Health:
        return Health(HealthState.HEALTHY)

    async def run(self) -> None:
        if self.broken:
            raise ZeroDivisionError("a bug of its own")
        await asyncio.Event().wait()


class Line:
    """Connections to something outside that is always there."""

    async def open(self) -> object:
        return object()

    async def ping(self, connection: object) -> None:
        return None

    async def close(self, connection: object) -> None:
        return None


class NodeLike:
    """Operations as a node has them, with one desk on a practice venue, a pool, a component and a neighbour."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.handed_over: list[str] = []
        self.folder = folder
        config = msgspec.convert({"alerts": ALERTS}, OperationsConfig)
        self.manager = PerpetualOperationsManager(
            config, store=world.store, clock=world.clock, data_dir=folder, node="a-1", hand_over=self.hand_over
        )
        cluster = Cluster(world.store, node="a-1", pid=1, release="0")
        self.deaths = Deaths(folder / "incarnations")

        async def ready() -> list[str]:
            return await cluster.others_ready(self.deaths.lives)

        self.neighbours = Neighbours(ready, cluster.has_left, self.deaths, world.clock)
        strategies = offer_trading_repairs(self.manager, self.neighbours)
        watch_standby(self.manager, self.neighbours)
        self.node = world.node("Moody", {"fails_at": BAD, "turns_at": "1.3000"})
        self.pulse = VenuePulse(world.clock)
        self.broker = heard_broker(self.node.broker, self.pulse)
        self.stream = StreamState()
        venue = VenueWatch(self.manager).watch("practice", self.node.desk, self.pulse, lambda: self.stream)
        watch_desk(self.manager, self.node.desk, venue, self.pulse, self.broker.clock_offset_s)
        strategies.watch(self.node.desk, venue)
        self.worker = Worker()
        self.manager.register(self.worker)
        self.pool = self.manager.add_pool("sales", Line(), PoolConfig(min_size=1, max_size=2, size=1))
        self.manager.add_cache("prices", lambda: 7)
        self.manager.insights()
        self.living: dict[str, Incarnation] = {}
        self.turns_on: list[bool] = []

    async def hand_over(self, because: str) -> bool:
        self.handed_over.append(because)
        return True

    async def neighbour_comes(self, name: str) -> None:
        self.living[name] = Incarnation.hold(self.folder / "incarnations", name, clock=self.world.clock, boot_id=BOOT)
        await Cluster(self.world.store, node=name, pid=1, release="0").say_state("ready", self.world.clock.wall_ns())

    async def neighbour_ends(self, *, silent_s: float) -> Health:
        await self.neighbour_comes("b-1")
        await self.neighbours.health()
        await self.world.clock.advance(silent_s)
        self.living.pop("b-1").close()
        async with asyncio.timeout(30):
            while self.neighbours.waits_for("b-1"):
                await asyncio.sleep(0.01)  # a thread waits in the lock
                await self.world.clock.advance(0.01)
        return await self.neighbours.health()

    async def pressed(self, which: Resource, **numbers: float) -> Health:
        """Have a resource short for so long that it is believed; nobody else measures meanwhile."""
        await self.manager.supervisor.stop(self.manager.monitor.name)
        real = Gauge(Path("/")).take(1, 1, LoopReadings())
        for _ in range(40):
            self.manager.guards.resources.note(msgspec.structs.replace(real, **numbers))
            await self.manager.guards.resources.look()
            if self.manager.guards.resources.health_of(which).failure:
                break
            await self.world.clock.advance(1.0)
        return self.manager.guards.resources.health_of(which)

    async def trades(self) -> None:
        await self.world.start(self.node)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[NodeLike]:
    async with await World.open(tmp_path) as world:
        host = NodeLike(world, tmp_path)
        host.manager.watch()
        yield host
        host.neighbours.close()
        host.deaths.close()
        for incarnation in host.living.values():
            incarnation.close()
        await host.manager.unwatch()


async def crash_loop(host: NodeLike) -> tuple[str, Health]:
    host.manager.supervisor.start("worker")
    await host.world.clock.advance(60)
    health = host.manager.supervisor.children["worker"].health()
    host.worker.broken = False
    return "worker", health


async def component_stuck(host: NodeLike) -> tuple[str, Health]:
    host.worker.broken = False
    host.manager.supervisor.start("worker")
    arrived = 0.0
    probe = progress_probe(lambda: 7.0, lambda: arrived, within_s=5.0, clock=host.world.clock)
    for _ in range(8):
        probe.health()
        arrived += 1
        await host.world.clock.advance(1.0)
    return "progress/worker", probe.health()


def written(error: OrchestratorError) -> Callable[[NodeLike], Awaitable[tuple[str, Health]]]:
    async def detect(host: NodeLike) -> tuple[str, Health]:
        async def write() -> None:
            raise error

        return "journal", await JournalProbe(host.world.store, host.world.clock, write)()

    return detect


async def slow(host: NodeLike) -> tuple[str, Health]:
    async def write() -> None:
        await host.world.clock.sleep(0.6)

    probe = JournalProbe(host.world.store, host.world.clock, write)
    health = Health(HealthState.HEALTHY)
    for _ in range(5):
        asking = asyncio.ensure_future(probe())
        await host.world.clock.advance(1.0)
        health = await asking
    return "journal", health


async def pool_exhausted(host: NodeLike) -> tuple[str, Health]:
    async with host.pool.use():
        waiting = asyncio.ensure_future(host.pool.use().__aenter__())
        await asyncio.sleep(0)
        health = host.manager.pools.health_of("sales")
        waiting.cancel()
    return "pool/sales", health


async def circuit_open(host: NodeLike) -> tuple[str, Health]:
    host.pool.breaker.open(by="ops", reason="to see")
    health = host.manager.pools.health_of("sales")
    host.pool.breaker.close(by="ops", reason="seen")
    return "pool/sales", health


async def loop_blocked(host: NodeLike) -> tuple[str, Health]:
    return "event_loop", event_loop_probe(lambda: 2.0, degraded_s=0.25, unhealthy_s=1.0).health()


def short(which: Resource, **numbers: float) -> Callable[[NodeLike], Awaitable[tuple[str, Health]]]:
    async def detect(host: NodeLike) -> tuple[str, Health]:
        return which.value, await host.pressed(which, **numbers)

    return detect


async def leaks(host: NodeLike) -> tuple[str, Health]:
    detector = host.manager.guards.leaks
    suspicion = Suspicion(600.0, 1000.0, 1e8, 3600.0, 0.99)
    detector.judged = Judged("a-1", suspicion, Verdict(Cause.NATIVE), "native memory grows")
    return detector.name, detector.health()


async def channel_down(host: NodeLike) -> tuple[str, Health]:
    alerts = host.manager.alerts()
    host.manager.supervisor.start(alerts.name)
    await host.world.run(3.0)
    for lane in alerts.board.lanes.values():
        lane.breaker.open(by="ops", reason="to see")
    return alerts.name, alerts.health()


async def clock_steps(host: NodeLike) -> tuple[str, Health]:
    real = Gauge(Path("/")).take(1, 1, LoopReadings())
    host.manager.guards.clock.note(msgspec.structs.replace(real, clock_step_s=3600.0))
    return "clock", host.manager.guards.clock.health()


async def venue_away(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    for _ in range(4):
        host.world.fault("clock_offset_s", Effect.NOT_SENT)
        with pytest.raises(Transient):
            await host.broker.clock_offset_s()
        await host.world.run(1.0)
    return "broker/practice", host.pulse.health()


async def venue_mute(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    host.stream = StreamState(mute_total=host.stream.mute_total + 1)
    host.pulse.stream_is(host.stream)
    return "broker/practice", host.pulse.health()


async def venue_bans(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    host.pulse.failed(Transient("too many requests", retry_after_s=60.0))
    return "broker/practice", host.pulse.health()


async def key_revoked(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    host.pulse.failed(KeyRefused("invalid key", venue_code="-2015"))
    return "broker/practice", host.pulse.health()


async def strategy_crashed(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    await host.world.quote(BAD)
    await host.world.run(0.3)
    return "strategy/paper/s", host.node.desk.strategy_health("s")


async def strategy_stuck(host: NodeLike) -> tuple[str, Health]:
    host.turns_on.append(True)
    Moody.turn_on = host.turns_on
    await host.trades()
    await host.world.quote("1.3000")
    await host.world.run(6.0)
    return "strategy/paper/s", host.node.desk.strategy_health("s")


async def strategy_looping(host: NodeLike) -> tuple[str, Health]:
    await host.world.warm(host.node)
    dead = await holder_of(host.world.store, LEASE)
    row = await host.world.store.claim_lease(LEASE, holder="n", ttl_s=3.0, dead_holder=dead)
    host.node.seat = TestSeat(row.epoch, Succession.PROVED_DEATH)
    host.node.seat.hung_in = "s"
    await host.world.until_done(host.node.desk.take(host.node.seat))
    return "strategy/paper/s", host.node.desk.strategy_health("s")


async def desk_down(host: NodeLike) -> tuple[str, Health]:
    await host.trades()
    host.node.store.fails_with = StorageUnavailable("the disk is full")
    await host.world.quote("1.1000")
    await host.world.run(0.5)
    health = host.node.desk.health()
    host.node.store.fails_with = None
    return "desk/paper", health


def neighbour_ends(silent_s: float) -> Callable[[NodeLike], Awaitable[tuple[str, Health]]]:
    async def detect(host: NodeLike) -> tuple[str, Health]:
        health = await host.neighbour_ends(silent_s=silent_s)
        await host.neighbour_comes("b-2")  # as the keeper sees to
        return "standby", health

    return detect


DETECTED: dict[str, Callable[[NodeLike], Awaitable[tuple[str, Health]]]] = {
    "component.crash_loop": crash_loop,
    "component.stuck": component_stuck,
    "database.lost": written(StorageUnavailable("the disk reports an error")),
    "database.locked": written(StorageLocked("another process kept it locked too long")),
    "database.slow": slow,
    "pool.exhausted": pool_exhausted,
    "event_loop.blocked": loop_blocked,
    "memory.pressure": short(Resource.MEMORY, host_memory_ratio=0.99),
    "memory.leak": leaks,
    "disk.low": short(Resource.DISK, disk_free_bytes=ResourcesConfig().disk_floor_bytes - 1),
    "disk.full": short(Resource.DISK, disk_free_bytes=1),
    "cpu.saturated": short(Resource.CPU, host_cpu_ratio=1.0, host_load_1m=100.0),
    "descriptors.short": short(Resource.DESCRIPTORS, process_descriptors=10**9),
    "clock.off": clock_steps,
    "channel.down": channel_down,
    "dependency.down": circuit_open,
    "broker.disconnected": venue_away,
    "broker.mute": venue_mute,
    "broker.banned": venue_bans,
    "broker.key_revoked": key_revoked,
    "strategy.crashed": strategy_crashed,
    "strategy.stuck": strategy_stuck,
    "strategy.looping": strategy_looping,
    "desk.down": desk_down,
    "node.death": neighbour_ends(0.05),
    "node.hang": neighbour_ends(1.6),
}


async def said_by(host: NodeLike, action: str, failure: Failure) -> str:
    """Return what an action says that it did; one that cannot raises."""
    acting = asyncio.ensure_future(host.manager.recovery.actions[action](failure))
    async with asyncio.timeout(30):
        while not acting.done():
            await host.world.clock.advance(0.1)
            await asyncio.sleep(0)
    return acting.result()


def test_every_shipped_ladder_is_walked_here() -> None:
    assert LADDERS.keys() == DETECTED.keys()


@pytest.mark.parametrize("failure", sorted(LADDERS))
async def test_a_real_detector_leads_to_it_and_each_step_does_something(host: NodeLike, failure: str) -> None:
    ladder = LADDERS[failure]
    part, health = await DETECTED[failure](host)
    assert ladder is host.manager.recovery.ladders.of(part, health.failure)
    climbs = (HealthState.UNHEALTHY, HealthState.DEGRADED) if ladder.degraded_too else (HealthState.UNHEALTHY,)
    assert health.state in climbs

    told = Failure("i1", part, failure, health.reason)
    try:
        said = {step.action: await said_by(host, step.action, told) for step in ladder.steps}
    finally:
        host.turns_on.clear()  # else the loop of the callback never ends
        await host.world.run(0.1)

    assert all(said.values())
    assert ladder.steps or ladder.pages_at_once
    assert ladder.halts_safely


async def test_a_crash_begins_anew_three_times_and_is_then_disabled_and_paged(host: NodeLike) -> None:
    await host.trades()
    heard: list[f.Body] = []
    host.manager.incidents.listen(heard.append)
    for _ in range(4):
        await host.world.quote(BAD)
        await host.world.run(30.0)
        await host.world.quote("1.1000")

    assert ["restart_strategy"] * 3 + ["disable_strategy"] == [
        body.action for body in heard if isinstance(body, f.StepStarted)
    ]
    assert ["strategy/paper/s"] == [body.part for body in heard if isinstance(body, f.Exhausted)]
    assert 3 == sum(isinstance(body, f.Resolved) and body.by == "restart_strategy" for body in heard)
    assert "strategy.crashed" == host.manager.incidents.open["strategy/paper/s"].failure
