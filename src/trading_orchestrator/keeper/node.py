"""A node: one process that can hold leases, and hands them over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.keeper.cluster import Cluster, LeaseMove
from trading_orchestrator.keeper.place import HeldSeat, Place
from trading_orchestrator.keeper.succession import Deaths, Heirs
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Tenancy
from trading_orchestrator.storage.ports import FactStore

log = logging.getLogger(__name__)
CONSOLE = "console"
BEAT_EVERY_S = 0.1
LOOK_FOR_HEIR_S = 0.25


class Beats(Protocol):
    """Where the node leaves its signs of life."""

    def beat(self) -> None: ...


class Node:
    """Hosts tenancies: desks first, the console last, so that imports of the web never delay an order.

    Everything runs on one event loop; `run` returns after an ordered leave.
    """

    def __init__(
        self,
        tenancies: Sequence[Tenancy],
        *,
        store: FactStore,
        leases: LeaseKeeper,
        deaths: Deaths,
        cluster: Cluster,
        beats: Beats,
        clock: Clock,
        boot_id: str,
        leave_deadline_s: float,
    ) -> None:
        self._cluster = cluster
        self._deaths = deaths
        self._beats = beats
        self._clock = clock
        heirs = Heirs(store, leases, deaths, clock=clock, boot_id=boot_id, may_claim=self._may_claim)
        self._places = [
            Place(tenancy, heirs, clock, leave_deadline_s, self._say_lease)
            for tenancy in sorted(tenancies, key=lambda tenancy: tenancy.lease == CONSOLE)
        ]

    async def run(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]]) -> None:
        """Occupy every place until `stop` is set; `ready` is awaited once all act or stand by.

        Raises whatever a place raises that is not Transient: the process must end and be started anew.
        """
        beating = asyncio.create_task(self._beat())
        await self._cluster.say_state("started", self._clock.wall_ns())
        occupying: list[asyncio.Task[None]] = []
        starting = asyncio.create_task(self._start(occupying, ready))
        stopping = asyncio.create_task(stop.wait())
        try:
            await self._until_over(occupying, starting, stopping)
        finally:
            await _end([starting, stopping, *occupying])
            await self._cluster.say_state("left", self._clock.wall_ns())
            for place in self._places:
                await place.tenancy.close()
            await _end([beating])

    async def _start(self, occupying: list[asyncio.Task[None]], ready: Callable[[], Awaitable[None]]) -> None:
        for place in self._places:
            occupying.append(asyncio.create_task(place.occupy(), name=place.lease))
            await place.settled.wait()
        await self._cluster.say_state("ready", self._clock.wall_ns())
        await ready()
        while True:
            await self._clock.sleep(LOOK_FOR_HEIR_S)
            await self._hand_console_to_an_idle_node()

    async def _until_over(
        self, occupying: list[asyncio.Task[None]], starting: asyncio.Task[None], stopping: asyncio.Task[bool]
    ) -> None:
        while not stopping.done():
            await asyncio.wait((stopping, starting, *occupying), return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
            for task in (starting, *occupying):
                if task.done() and not task.cancelled():
                    task.result()

    def _trades(self) -> bool:
        return any(place.seat is not None for place in self._places if place.lease != CONSOLE)

    async def _may_claim(self, lease: str) -> bool:
        """A node that trades serves the console only while no other living node is ready to."""
        if lease != CONSOLE or not self._trades():
            return True
        return not await self._cluster.others_ready(self._is_alive)

    async def _hand_console_to_an_idle_node(self) -> None:
        console = next((place for place in self._places if place.lease == CONSOLE and place.seat is not None), None)
        if console is not None and self._trades() and await self._cluster.others_ready(self._is_alive):
            console.hand_over()

    def _is_alive(self, node: str) -> bool:
        return not self._deaths.is_dead(node)

    async def _beat(self) -> None:
        while True:
            self._beats.beat()
            await self._clock.sleep(BEAT_EVERY_S)

    async def _say_lease(self, move: str, seat: HeldSeat, took_ms: float) -> None:
        body = LeaseMove(seat.lease, seat.epoch, seat.succession.value, round(took_ms, 2))
        await self._cluster.say_lease(move, body)  # type: ignore[arg-type]  # place.py says one of the three words


async def _end(tasks: Sequence[asyncio.Task[None] | asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.debug("while ending: %r", outcome)
