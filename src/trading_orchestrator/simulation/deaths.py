"""Proof of death in the simulation: told by the world, and a little late, as the kernel is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trading_orchestrator.journal.incarnation import LastWords
from trading_orchestrator.simulation.event_loop import VirtualLoop

PROVED_AFTER_S = (0.006, 0.046)
"""Measured: a process that was killed is proved dead within this time (DESIGN.md)."""


class ToldDeaths:
    """`keeper.succession.Deaths` for every node of the world.

    shoot: what happens to a node whose lease ran out while it keeps the journal locked.
    """

    def __init__(self, loop: VirtualLoop, shoot: Callable[[str], None]) -> None:
        self._loop = loop
        self._dead: set[str] = set()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self.shoot = shoot

    def tell(self, node: str) -> None:
        """From now on the node's death is proved."""
        self._dead.add(node)
        for gone in self._waiting.pop(node, []):
            if not gone.done():
                gone.set_result(None)

    def lives(self, node: str) -> bool:
        return node not in self._dead

    def is_dead(self, node: str) -> bool:
        return node in self._dead

    def words_of(self, node: str) -> LastWords | None:
        return None

    async def wait_death(self, node: str) -> None:
        if node in self._dead:
            return
        gone: asyncio.Future[None] = self._loop.create_future()
        waiting = self._waiting.setdefault(node, [])
        waiting.append(gone)
        try:
            await gone
        finally:
            if gone in waiting:
                waiting.remove(gone)
