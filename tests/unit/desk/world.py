"""A desk's whole surroundings in one process on a virtual clock: journal file, venue, faults, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tests.leases import holder_of
from trading_orchestrator.brokers.port import NewOrder, OrderReport
from trading_orchestrator.brokers.simulated.broker import SimulatedBroker
from trading_orchestrator.brokers.simulated.faults import Effect, Fault, FaultScript
from trading_orchestrator.brokers.simulated.feed import SimulatedFeed
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.faultpoint import FaultPoint, no_fault
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.storage.ports import Fact, Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk, nobody_is_told
from trading_orchestrator.trading.facts import KINDS, Body

SYMBOL = "EUR/USDT"
TICK = Decimal("0.0001")
LEASE = "desk/paper"
GRACE_S = 2.0
TIMEOUT_S = 0.3
VALIDITY_S = 1.0
STEP_S = 0.01


class TestSeat:
    """A seat whose right to act the test gives and takes."""

    hung_in = ""

    __test__ = False

    def __init__(self, epoch: int, succession: Succession) -> None:
        self.lease = LEASE
        self.epoch = epoch
        self.succession = succession
        self.acts = True

    def may_act(self) -> bool:
        return self.acts


class NodeStore:
    """The journal as one node sees it: it can be slow, fail, or (after a crash of the node) never answer again."""

    def __init__(self, store: SqliteStore, clock: VirtualClock) -> None:
        self._store = store
        self._clock = clock
        self.append_takes_s = 0.0
        self.fails_with: OrchestratorError | None = None
        self.crashed = False
        self.durable_ids: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        if self.append_takes_s:
            await self._clock.sleep(self.append_takes_s)
        if self.crashed:
            await asyncio.get_running_loop().create_future()
        if self.fails_with is not None:
            raise self.fails_with
        written = await self._store.append(facts, node=node, fence=fence, puts=puts)
        self.durable_ids |= {fact.body.order.cl_ord_id for fact in facts if fact.kind == "order.intended"}  # type: ignore[attr-defined]
        return written


class NodeBroker(SimulatedBroker):
    """The broker of one node; notes each submit, and sends nothing once its node has crashed."""

    def __init__(self, world: World, store: NodeStore) -> None:
        super().__init__(
            world.venue,
            clock=world.clock,
            faults=world.faults,
            validity_s=VALIDITY_S,
            timeout_s=TIMEOUT_S,
            latency_s=0.001,
        )
        self._world = world
        self._store = store

    async def submit(self, order: NewOrder) -> OrderReport:
        if self._store.crashed:
            await asyncio.get_running_loop().create_future()
        self._world.submits.append((order.cl_ord_id, order.cl_ord_id in self._store.durable_ids))
        return await super().submit(order)


class Node:
    """One desk with what belongs to its process."""

    def __init__(
        self,
        world: World,
        name: str,
        config: DeskConfig,
        fault: FaultPoint,
        now_running: Callable[[str], None],
        live: bool,
        notes: EmergencyNotes | None,
    ) -> None:
        self.store = NodeStore(world.store, world.clock)
        self.broker = NodeBroker(world, self.store)
        self.desk = Desk(
            "paper",
            config,
            store=self.store,
            node=name,
            broker=self.broker,
            feed=SimulatedFeed(world.venue),
            clock=world.clock,
            random_bytes=bytes,
            fault=fault,
            now_running=now_running,
            live=live,
            notes=notes,
        )
        self.seat: TestSeat | None = None

    def crash(self) -> None:
        """Nothing of this node reaches the journal or the venue any more."""
        self.store.crashed = True
        if self.seat is not None:
            self.seat.acts = False


class World:
    """Use `async with World.open(tmp_path)`; time passes by `run` only."""

    def __init__(self, store: SqliteStore, clock: VirtualClock, chance: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        self.faults = FaultScript(chance)
        self.instrument = Instrument(SYMBOL, "EUR", "USDT", TICK, Decimal("0.1"))
        balances = {"EUR": Decimal(100_000), "USDT": Decimal(100_000)}
        self.venue = SimulatedVenue([self.instrument], clock=clock, balances=balances)
        self.submits: list[tuple[str, bool]] = []
        self.nodes: list[Node] = []

    @classmethod
    async def open(cls, folder: Path, chance: Callable[[], float] = lambda: 0.5) -> World:
        clock = VirtualClock()
        return cls(await open_store(folder / "journal.db", clock=clock, inline=True), clock, chance)

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            closing = asyncio.create_task(node.desk.close())
            while not closing.done():
                await self.run(STEP_S)
        closing_store = asyncio.create_task(self.store.close())
        while not closing_store.done():
            await self.run(STEP_S)

    def node(
        self,
        strategy: str,
        params: Mapping[str, Any] | None = None,
        *,
        fault: FaultPoint = no_fault,
        now_running: Callable[[str], None] = nobody_is_told,
        live: bool = False,
        notes: EmergencyNotes | None = None,
        **desk: Any,
    ) -> Node:
        """Return a new node whose desk runs one strategy of `tests.unit.desk.strategies`."""
        settings = {
            "broker": "sim",
            "symbols": [SYMBOL],
            "grace_s": GRACE_S,
            "poll_trades_s": 1.0,
            "poll_orders_s": 1.0,
            "poll_overlap_s": 5.0,
            "quiet_s": 0.5,
            "risk": {"max_orders_per_s": 1000},
            "strategies": [
                {"name": "s", "class": f"tests.unit.desk.strategies:{strategy}", "params": dict(params or {})}
            ],
        }
        config = build(DeskConfig, settings | desk, source="test")
        node = Node(self, f"node-{len(self.nodes)}", config, fault, now_running, live, notes)
        self.nodes.append(node)
        return node

    async def warm(self, node: Node) -> None:
        await self.until_done(node.desk.warm())

    async def take(self, node: Node, succession: Succession = Succession.FIRST) -> None:
        dead = await holder_of(self.store, LEASE)
        row = await self.store.claim_lease(LEASE, holder=node.desk.name, ttl_s=3.0, dead_holder=dead)
        node.seat = TestSeat(row.epoch, succession)
        await self.until_done(node.desk.take(node.seat))

    async def start(self, node: Node, succession: Succession = Succession.FIRST) -> Node:
        await self.warm(node)
        await self.take(node, succession)
        return node

    async def until_done(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.run(STEP_S)
        task.result()

    async def run(self, seconds: float) -> None:
        """Let time pass in steps, each long enough for whatever woke up to come to rest."""
        for _ in range(max(1, round(seconds / STEP_S))):
            await self.clock.advance(STEP_S)
            for _ in range(30):
                await asyncio.sleep(0)

    async def quote(self, bid_px: str, ask_px: str | None = None, qty: int = 1000) -> None:
        bid = Decimal(bid_px)
        self.venue.show_quote(SYMBOL, bid, Decimal(ask_px) if ask_px else bid + TICK, Decimal(qty))
        await self.run(STEP_S)

    async def public_trade(self, px: str, qty: int = 1) -> None:
        self.venue.show_trade(SYMBOL, Decimal(px), Decimal(qty))
        await self.run(STEP_S)

    def fault(self, on: str, effect: Effect, **more: Any) -> None:
        self.faults.add(Fault(on, effect, **more))

    async def facts(self, *kinds: str) -> list[Body]:
        """Return the bodies of the desk's facts, all or of some kinds, oldest first."""
        found = await self.store.read(stream=LEASE, limit=100_000, kinds=kinds)
        return [msgspec.json.decode(fact.body, type=KINDS[fact.kind]) for fact in found]

    async def kinds(self) -> list[str]:
        return [fact.kind for fact in await self.store.read(stream=LEASE, limit=100_000)]

    async def rows(self, projection: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(row.value) for row in await self.store.rows(projection, limit=10_000)]

    async def order_states(self) -> list[str]:
        """Return the state of every order in the journal's projection, oldest first."""
        return [row["state"] for row in sorted(await self.rows("orders"), key=lambda row: row["created_ns"])]

    async def position_qty(self) -> Decimal:
        rows = await self.rows("positions")
        return Decimal(rows[0]["qty"]) if rows else Decimal(0)

    def venue_position_qty(self) -> Decimal:
        held = {balance.asset: balance.total for balance in self.venue.balances()}
        return held["EUR"] - 100_000
