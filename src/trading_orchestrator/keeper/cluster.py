"""What nodes tell each other: facts of the stream `cluster`, with one projection row a node."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from trading_orchestrator.storage.ports import Fact, FactStore, NewFact, ProjectionRow, Put

STREAM = "cluster"
NODES = "nodes"

Move = Literal["claimed", "released", "lost"]


class NodeState(msgspec.Struct, frozen=True):
    """A node as its own facts tell it; a dead one stays `ready` here, so ask its incarnation file too."""

    node: str
    state: Literal["started", "ready", "left"]
    pid: int
    release: str
    at_ns: int


class LeaseMove(msgspec.Struct, frozen=True):
    """The body of lease.claimed, lease.released and lease.lost. `succession` says how it was claimed."""

    lease: str
    epoch: int
    succession: str = ""
    took_ms: float = 0.0


class NodeUnlimited(msgspec.Struct, frozen=True):
    """The body of node.unlimited: a desk's node has no CPU ceiling although the config asks for one."""

    node: str
    desk: str
    wanted_ratio: float


class IsAlive(Protocol):
    """Whether a node's incarnation lock is held."""

    def __call__(self, node: str) -> bool: ...


class Cluster:
    """One node's voice and ear in the stream `cluster`. Nothing here decides; `node.py` does."""

    def __init__(self, store: FactStore, *, node: str, pid: int, release: str) -> None:
        self._store = store
        self._node = node
        self._pid = pid
        self._release = release

    async def say_state(self, state: Literal["started", "ready", "left"], at_ns: int) -> None:
        """Record node.started, node.ready or node.left with the node's row."""
        body = NodeState(self._node, state, self._pid, self._release, at_ns)
        await self._append(f"node.{state}", body, [Put(NODES, self._node, body)])

    async def say_lease(self, move: Move, body: LeaseMove) -> None:
        """Record what happened to a lease; it also wakes whoever waits for one."""
        await self._append(f"lease.{move}", body, [])

    async def say_unlimited(self, desk: str, wanted_ratio: float) -> None:
        """Record that this host gives the node of this desk no ceiling; the keeper's log says why."""
        await self._append("node.unlimited", NodeUnlimited(self._node, desk, wanted_ratio), [])

    async def others_ready(self, is_alive: IsAlive) -> list[str]:
        """Return the other nodes that said READY and are alive."""
        said = [_state_in(row) for row in await self._store.rows(NODES, limit=16)]
        ready = [state.node for state in said if state is not None and state.state == "ready"]
        return [node for node in ready if node != self._node and is_alive(node)]

    async def has_left(self, node: str) -> bool:
        """Return whether the node said that it leaves in order."""
        row = await self._store.row(NODES, node)
        state = _state_in(row) if row is not None else None
        return state is not None and state.state == "left"

    async def _append(self, kind: str, body: object, puts: list[Put]) -> list[Fact]:
        return list(await self._store.append([NewFact(STREAM, kind, body)], node=self._node, fence=None, puts=puts))


def _state_in(row: ProjectionRow) -> NodeState | None:
    """Return what a node said; a damaged row says nothing, and ends with the node that wrote it."""
    try:
        return msgspec.json.decode(row.value, type=NodeState)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
