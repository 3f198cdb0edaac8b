"""Whoever makes a breaker, it is shown, its moves are journaled, and an operator's word on it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.alerts.post import Told
from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.circuit_breaker import Circuit, CircuitBreaker, CircuitConfig
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.recovery.circuits import Circuits, CircuitTaken
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.use_figures import UseFigures


class Wire:
    """A connector whose other side is away."""

    async def open(self) -> str:
        raise ConnectionRefusedError("away")

    async def ping(self, connection: str) -> None:
        return None

    async def close(self, connection: str) -> None:
        return None


class Heard(IncidentLog):
    """An incident log that shows what was recorded."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(EmptyStore(), clock, node="a")
        self.recorded: list[f.Recorded] = []
        self.noted: list[str] = []

    def record(self, body: f.Recorded) -> None:
        self.recorded.append(body)

    def note(self, part: str, note: str, *, by: str = "") -> None:
        self.noted.append(part)


class Scene:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.log = Heard(self.clock)
        self.meter = Meter()
        self.circuits = Circuits(self.clock, self.log, self.meter)

    def moves(self) -> Sequence[tuple[str, str, str]]:
        return [(one.circuit, one.now, one.by) for one in self.log.recorded if isinstance(one, f.CircuitChanged)]

    def shown(self) -> dict[str, float]:
        (family,) = self.meter.read()
        return {dict(reading.labels)["circuit"]: reading.value for reading in family.readings}


async def test_a_pool_that_cannot_open_moves_a_circuit_that_everybody_sees() -> None:
    scene = Scene()
    pools = ConnectionPoolManager(scene.clock, scene.circuits)
    pool = pools.add("sales", Wire())
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            async with pool.use():
                raise AssertionError("nobody may come this far")

    assert ["open"] == [one.state for one in scene.circuits.statuses()]
    assert [("pool/sales", "open", "")] == scene.moves()
    assert {"pool/sales": 2.0} == scene.shown()
    scene.circuits.of("pool/sales").close(by="ada", reason="it is back")
    assert ("pool/sales", "closed", "ada") == scene.moves()[-1]


def test_a_channels_breaker_belongs_to_the_story_of_alerts() -> None:
    scene = Scene()
    lane = Lane("sms", Told(), LaneConfig(), scene.clock)
    scene.circuits.adopt(lane.breaker, part="alerts")
    scene.circuits.of("channel/sms").open(by="ada", reason="the provider moves")

    assert lane.is_down
    assert ([("channel/sms", "forced_open", "ada")], ["alerts"]) == (scene.moves(), scene.log.noted)


def test_an_operators_word_outlives_a_breaker_that_is_made_anew() -> None:
    scene = Scene()
    states = []
    for word in ("open", "", "close", ""):
        breaker = CircuitBreaker("channel/sms", CircuitConfig(), scene.clock)
        scene.circuits.adopt(breaker)
        if word:
            (breaker.open if word == "open" else breaker.close)(by="ada", reason="a test")
        states.append(breaker.state)
        scene.circuits.forget("channel/sms")

    assert [Circuit.FORCED_OPEN, Circuit.FORCED_OPEN, Circuit.CLOSED, Circuit.CLOSED] == states
    assert [("channel/sms", "forced_open", "ada"), ("channel/sms", "closed", "ada")] == scene.moves()
    assert [] == list(scene.circuits.statuses())


async def test_an_operators_word_outlives_the_process_and_the_node(tmp_path: Path) -> None:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)

    async def process(node: str) -> tuple[Circuits, IncidentLog]:
        log = IncidentLog(store, clock, node=node)
        circuits = Circuits(clock, log)
        circuits.add("channel/sms", CircuitConfig(min_calls=1))
        await circuits.hear_operators(store)
        return circuits, log

    try:
        first, log = await process("a-1")
        first.of("channel/sms").open(by="ada", reason="the provider moves")
        await log.flush()

        second, log = await process("b-1")
        assert Circuit.FORCED_OPEN is second.of("channel/sms").state
        await clock.advance(1)
        second.of("channel/sms").close(by="bob", reason="it has moved")
        with pytest.raises(Transient):
            async with second.of("channel/sms").call():
                raise Transient("away again")  # what a breaker does by itself is no operator's word
        await log.flush()

        third, _ = await process("c-1")
        assert Circuit.CLOSED is third.of("channel/sms").state
        await first.hear_operators(store)
        assert Circuit.CLOSED is first.of("channel/sms").state
    finally:
        await store.close()


async def test_a_word_that_still_waits_for_the_journal_is_not_undone_by_an_older_one(tmp_path: Path) -> None:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    log = IncidentLog(store, clock, node="a-1")
    circuits = Circuits(clock, log)
    breaker = circuits.add("channel/sms")
    try:
        breaker.open(by="ada", reason="the provider moves")
        await log.flush()
        await clock.advance(1)
        breaker.close(by="ada", reason="it has moved")
        await circuits.hear_operators(store)

        assert Circuit.CLOSED is breaker.state
    finally:
        await store.close()


def test_two_breakers_of_one_name_are_refused() -> None:
    scene = Scene()
    scene.circuits.add("dependency/quotes")

    with pytest.raises(CircuitTaken, match="a circuit named 'dependency/quotes' is registered already"):
        scene.circuits.add("dependency/quotes")


async def test_requests_of_a_client_are_a_pool_and_who_hangs_is_named() -> None:
    clock = VirtualClock()
    uses = UseFigures("binance", 100, clock, long_s=30)
    pools = ConnectionPoolManager(clock)
    pools.adopt("binance/desk", uses)
    with uses.waits():
        await clock.advance(0.2)  # the budget holds it back
    with uses.at_it("open orders"):
        await clock.advance(31)
        hanging, (status,) = pools.health_of("binance/desk"), pools.statuses()

    assert "binance/desk" == status.name  # two desks may each have a session of one exchange
    assert "open orders has kept a connection for 31 s" == hanging.reason
    assert (1, 1, 250.0, 1) == (status.in_use, status.used_total, status.wait_p99_ms, sum(status.wait_counts))
    assert "0 of 100 in use" == pools.health_of("binance/desk").reason
