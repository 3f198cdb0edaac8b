"""Neighbours: the other nodes as this one sees them; whose process ended, what it hung in, and who takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.incarnation import LastWords
from trading_orchestrator.keeper.succession import HUNG_S
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState

DEATH, HANG = "node.death", "node.hang"
LEFT_S = 15.0
"""A node that left in order is not missed before: its replacement imports, migrates and warms up meanwhile."""
LOOK_EVERY_S = 0.25
NOTE_LOOKS, NOTE_EVERY_S = 5, 0.05
"""The keeper notes how a process ended as soon as it has reaped it; one that is gone itself notes nothing."""


class Deaths(Protocol):
    """Proof of death, and a dead node's last words."""

    def words_of(self, node: str) -> LastWords | None: ...

    async def wait_death(self, node: str) -> None: ...


@dataclass
class Ended:
    """A node whose process is proved gone. `told`: a round of health heard of it."""

    sentence: str
    failure: str
    at_ns: int
    told: bool = False


class Neighbours:
    """Waits for the death of every node it sees ready. One event loop.

    Args:
        ready: names the other nodes that said READY and live.
        has_left: whether a node said that it leaves in order.
    """

    def __init__(
        self,
        ready: Callable[[], Awaitable[Sequence[str]]],
        has_left: Callable[[str], Awaitable[bool]],
        deaths: Deaths,
        clock: Clock,
    ) -> None:
        self._ready = ready
        self._has_left = has_left
        self._deaths = deaths
        self._clock = clock
        self._waits: dict[str, asyncio.Task[None]] = {}
        self._ended: Ended | None = None
        self._seen = False

    async def health(self) -> Health:
        """Return whether another node could take over; an end is told once even when its replacement is quick."""
        others = await self._ready()
        self._seen = self._seen or bool(others)
        for node in others:
            if node not in self._waits:
                self._waits[node] = asyncio.get_running_loop().create_task(self._outlive(node), name=f"outlive {node}")
        if not others:
            await self._hear_how()
        return self._judged(others)

    async def _hear_how(self) -> None:
        """Wait for the note on an end that has only just been proved, or a hang would be told as a death."""
        for _ in range(NOTE_LOOKS + 1):
            if not self._waits:
                return
            await self._clock.sleep(NOTE_EVERY_S)

    async def wait_for_another(self) -> str:
        """Return once another node is ready, in a sentence; the keeper starts one, and this proves it.

        Raises whatever the journal raises; whoever calls sets the deadline.
        """
        while not (others := await self._ready()):
            await self._clock.sleep(LOOK_EVERY_S)
        return f"the keeper started {others[0]}, which is ready"

    def waits_for(self, node: str) -> bool:
        """Return whether the node's death is still waited for."""
        return node in self._waits

    def close(self) -> None:
        """Wait for nobody any more."""
        for wait in self._waits.values():
            wait.cancel()
        self._waits.clear()

    def _judged(self, others: Sequence[str]) -> Health:
        ended = self._ended
        if ended is not None and ended.failure and (not others or not ended.told):
            ended.told = True
            more = f"; {others[0]} is ready" if others else "; no other node is ready, the keeper starts one"
            return Health(HealthState.DEGRADED, ended.sentence + more, ended.failure)
        if others:
            self._ended = None
            return Health(HealthState.HEALTHY, f"{others[0]} is ready")
        if not self._seen:
            return Health(HealthState.HEALTHY, "none was ready yet", elsewhere=True)  # and so proves nothing
        if ended is not None and self._clock.monotonic_ns() - ended.at_ns < LEFT_S * 1e9:
            return Health(HealthState.HEALTHY, f"{ended.sentence}; the keeper starts another")
        return Health(HealthState.DEGRADED, "no other node is ready; the keeper starts one", DEATH)

    async def _outlive(self, node: str) -> None:
        await self._deaths.wait_death(node)
        at_boot_ns, now_ns = self._clock.boot_ns(), self._clock.monotonic_ns()
        words = await self._noted(node)
        silent_s = (at_boot_ns - words.heartbeat_boot_ns) / 1e9 if words is not None else 0.0
        if words is not None and (words.ending.stood_still if words.ending else silent_s >= HUNG_S):
            at = f" in strategy {words.now_running}" if words.now_running else ""
            said = f"{node} had not turned its event loop for {silent_s:.1f} s{at} and was ended"
            self._ended = Ended(said, HANG, now_ns)
        elif await self._left(node):
            self._ended = Ended(f"{node} left in order", "", now_ns)
        else:
            self._ended = Ended(f"the process of {node} died", DEATH, now_ns)
        self._waits.pop(node, None)

    async def _noted(self, node: str) -> LastWords | None:
        """Return its last words, with the keeper's note on how it ended if that comes soon."""
        for _ in range(NOTE_LOOKS):
            words = self._deaths.words_of(node)
            if words is None or words.ending is not None:
                return words
            await self._clock.sleep(NOTE_EVERY_S)
        return self._deaths.words_of(node)

    async def _left(self, node: str) -> bool:
        try:
            return await self._has_left(node)
        except OrchestratorError:  # who cannot be asked now is taken for dead: that is what is proved
            return False
