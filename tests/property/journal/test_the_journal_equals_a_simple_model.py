"""Whatever two nodes do to one journal, claims, crashes and late writers included, it equals a model of lists."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.ports import FactStore, Fence, LeaseHeld, NewFact, Put, StaleEpoch
from trading_orchestrator.storage.sqlite import open_store

NODES = ("n1", "n2")
LEASES = ("desk/a", "desk/b")
STREAMS = ("desk/a", "desk/b", "ops/alerts")
TTL_S = 3.0


@dataclass(frozen=True)
class Append:
    node: str
    lease: str
    streams: list[str]
    puts: dict[str, int | None]


@dataclass(frozen=True)
class Claim:
    node: str
    lease: str
    dead: str


@dataclass(frozen=True)
class Renew:
    node: str
    lease: str


@dataclass(frozen=True)
class Release:
    node: str
    lease: str


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Crash:
    node: str


Step = Append | Claim | Renew | Release | Wait | Crash

nodes, leases = st.sampled_from(NODES), st.sampled_from(LEASES)
appends = st.builds(
    Append,
    nodes,
    leases,
    st.lists(st.sampled_from(STREAMS), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 9), max_size=3),
)
claims = st.builds(Claim, nodes, leases, st.just("") | nodes)
others = (
    st.builds(Renew, nodes, leases)
    | st.builds(Release, nodes, leases)
    | st.builds(Wait, st.sampled_from((0.5, 1.5, 3.0)))
    | st.builds(Crash, nodes)
)
steps = st.lists(appends | appends | claims | others, min_size=1, max_size=30)


@dataclass
class Lease:
    holder: str
    epoch: int
    expires_ns: int


@dataclass
class Model:
    """What the journal should hold, and what each node believes of its leases."""

    clock: VirtualClock
    facts: list[tuple[str, int]] = field(default_factory=list)
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    believed: dict[tuple[str, str], int] = field(default_factory=dict)

    def fence(self, node: str, lease: str) -> Fence:
        return Fence(lease, self.believed.get((node, lease), 1))

    def is_stale(self, fence: Fence) -> bool:
        return fence.lease not in self.leases or self.leases[fence.lease].epoch != fence.epoch

    def is_free(self, node: str, lease: str, dead: str) -> bool:
        held = self.leases.get(lease)
        return held is None or held.holder in (node, dead) or held.expires_ns <= self.clock.boot_ns()

    def write(self, step: Append, epoch: int) -> None:
        self.facts += [(stream, epoch) for stream in step.streams]
        for key, value in step.puts.items():
            self.rows.pop(key, None)
            if value is not None:
                self.rows[key] = (value, len(self.facts))

    def expires_ns(self) -> int:
        return self.clock.boot_ns() + int(TTL_S * 1e9)


class Run:
    """One walk: the same steps on the stores and on the model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = VirtualClock()
        self.model = Model(self.clock)
        self.stores: dict[str, FactStore] = {}
        self.crashed: list[FactStore] = []

    async def start(self, node: str) -> None:
        self.stores[node] = await open_store(self.path, clock=self.clock, inline=True)

    async def take(self, step: Step) -> None:
        match step:
            case Append():
                await self.append(step)
            case Claim():
                await self.claim(step)
            case Renew(node, lease):
                await self.renew(node, lease)
            case Release(node, lease):
                await self.release(node, lease)
            case Wait(seconds):
                await self.clock.advance(seconds)
            case Crash(node):
                self.crashed.append(self.stores[node])  # kept, so that nothing closes it in order
                await self.start(node)

    async def append(self, step: Append) -> None:
        fence = self.model.fence(step.node, step.lease)
        facts = [NewFact(stream, "number.counted", index) for index, stream in enumerate(step.streams)]
        puts = [Put("rows", key, value) for key, value in step.puts.items()]
        try:
            await self.stores[step.node].append(facts, node=step.node, fence=fence, puts=puts)
        except StaleEpoch:
            assert self.model.is_stale(fence)
        else:
            assert not self.model.is_stale(fence)
            self.model.write(step, fence.epoch)

    async def claim(self, step: Claim) -> None:
        free = self.model.is_free(step.node, step.lease, step.dead)
        try:
            row = await self.stores[step.node].claim_lease(
                step.lease, holder=step.node, ttl_s=TTL_S, dead_holder=step.dead
            )
        except LeaseHeld:
            assert not free
        else:
            before = self.model.leases.get(step.lease)
            assert free
            assert (before.epoch + 1 if before else 1) == row.epoch
            self.model.leases[step.lease] = Lease(step.node, row.epoch, self.model.expires_ns())
            self.model.believed[step.node, step.lease] = row.epoch

    async def renew(self, node: str, lease: str) -> None:
        fence = self.model.fence(node, lease)
        held = self.model.leases.get(lease)
        ours = held is not None and (held.holder, held.epoch) == (node, fence.epoch)
        try:
            await self.stores[node].renew_lease(lease, holder=node, epoch=fence.epoch, ttl_s=TTL_S)
        except StaleEpoch:
            assert not ours
        else:
            assert ours
            self.model.leases[lease].expires_ns = self.model.expires_ns()

    async def release(self, node: str, lease: str) -> None:
        fence = self.model.fence(node, lease)
        await self.stores[node].release_lease(lease, holder=node, epoch=fence.epoch)
        held = self.model.leases.get(lease)
        if held is not None and (held.holder, held.epoch) == (node, fence.epoch):
            held.expires_ns = 0

    async def check(self) -> None:
        """Every node reads what the model holds, and every chain verifies."""
        for store in self.stores.values():
            facts = await store.read()
            assert self.model.facts == [(fact.stream, fact.epoch) for fact in facts]
            assert list(range(1, len(facts) + 1)) == [fact.pos for fact in facts]
            for stream in STREAMS:
                of_stream = [fact.seq for fact in facts if fact.stream == stream]
                assert list(range(1, len(of_stream) + 1)) == of_stream
                assert of_stream == [fact.seq for fact in await store.read(stream=stream)]
            rows = {row.key: (int(row.value), row.pos) for row in await store.rows("rows")}
            assert self.model.rows == rows
            found = {row.name: Lease(row.holder, row.epoch, row.expires_ns) for row in await store.leases()}
            assert self.model.leases == found
        report = verify(self.path)
        assert (len(self.model.facts), None) == (report.facts, report.broken)

    async def close(self) -> None:
        for store in [*self.crashed, *self.stores.values()]:
            await store.close()


async def walk(path: Path, taken: list[Step]) -> None:
    run = Run(path)
    for node in NODES:
        await run.start(node)
    try:
        for step in taken:
            await run.take(step)
        await run.check()
    finally:
        await run.close()


@settings(max_examples=100)
@given(steps)
def test_any_walk_of_two_nodes_ends_where_the_model_ends(taken: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(walk(Path(directory) / "journal.db", taken))
