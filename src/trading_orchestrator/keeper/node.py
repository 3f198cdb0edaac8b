"""A node: one process that can hold leases, and hands them over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from trading_orchestrator.errors import Transient
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.keeper.cluster import Cluster, LeaseMove, Move
from trading_orchestrator.keeper.place import HeldSeat, Place
from trading_orchestrator.keeper.succession import Deaths, Heirs
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Tenancy
from trading_orchestrator.storage.ports import FactStore

log = logging.getLogger(__name__)
CONSOLE = "console"
LOOK_FOR_HEIR_S = 0.25
DESKS_FIRST_S, DESKS_WITHIN_S = 0.01, 0.5
"""The console hears of a death when the desks do, and begins after them: both on one loop would delay the orders. A
desk that takes longer to begin, because its venue does not answer, keeps nobody from the page."""


class Node:
    """Hosts tenancies: desks first, the console last, so that imports of the web never delay an order.

    Everything runs on one event loop; `run` returns after an ordered leave.

    Args:
        homes: by lease, the slot whose nodes have it to themselves; this node only stands by for those.
        leaving: called when the node begins to leave, told to or by a failure; whoever bounds that begins to count.
    """

    def __init__(
        self,
        tenancies: Sequence[Tenancy],
        *,
        store: FactStore,
        leases: LeaseKeeper,
        deaths: Deaths,
        cluster: Cluster,
        clock: Clock,
        boot_id: str,
        leave_deadline_s: float,
        homes: Mapping[str, str] | None = None,
        leaving: Callable[[], None] = lambda: None,
    ) -> None:
        self._leaving = leaving
        self._homes = homes or {}
        self._cluster = cluster
        self._deaths = deaths
        self._clock = clock
        heirs = Heirs(store, leases, deaths, clock=clock, boot_id=boot_id, may_claim=self._may_claim)
        self._places = [
            Place(tenancy, heirs, clock, leave_deadline_s, self._say_lease, may_fail_alone=tenancy.lease == CONSOLE)
            for tenancy in sorted(tenancies, key=lambda tenancy: tenancy.lease == CONSOLE)
        ]

    async def run(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]]) -> None:
        """Occupy every place until `stop` is set; `ready` is awaited once each has acted, stood by or failed to.

        A desk whose venue is away is tried again for as long as that lasts, and its node is none that failed to start.
        The journal says `node.ready` when all act or stand by: only then can it take over.

        Raises whatever a place raises that is not Transient: the process must end and be started anew.
        """
        await self._cluster.say_state("started", self._clock.wall_ns())
        working = [asyncio.create_task(self._occupy(place), name=place.lease) for place in self._places]
        working.append(asyncio.create_task(self._look_after_heirs(ready), name="heirs"))
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait((stopping, *working), return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            self._leaving()
            await _end([stopping, *working])
            for place in self._places:
                await place.tenancy.close()
            with contextlib.suppress(Transient):
                await self._cluster.say_state("left", self._clock.wall_ns())

    async def _occupy(self, place: Place) -> None:
        """The console starts after every desk has tried to: what its import blocks must not delay an order."""
        if place.lease == CONSOLE:
            await self._all_tried(besides=place)
        await place.occupy()

    async def _look_after_heirs(self, ready: Callable[[], Awaitable[None]]) -> None:
        await self._all_tried()
        can_take_over = await self._said_ready()
        await ready()
        while True:
            await self._clock.sleep(LOOK_FOR_HEIR_S)
            can_take_over = can_take_over or await self._said_ready()
            await self._hand_console_to_an_idle_node()
            await self._hand_desks_home()

    async def _all_tried(self, *, besides: Place | None = None) -> None:
        for place in self._places:
            if place is not besides:
                await place.tried.wait()

    async def _said_ready(self) -> bool:
        if not all(place.settled.is_set() for place in self._places):
            return False
        try:
            await self._cluster.say_state("ready", self._clock.wall_ns())
        except Transient as error:
            log.warning("the journal does not take that this node is ready: %s", error.message)
            return False
        return True

    def _trades(self) -> bool:
        return any(place.seat is not None for place in self._places if place.lease != CONSOLE)

    async def _may_claim(self, lease: str) -> bool:
        """A node that trades serves the console only while no other living node is ready to, and begins it after its
        desks; and a lease that has a home elsewhere is claimed only while nobody is at home.
        """
        if lease != CONSOLE:
            may = lease not in self._homes or not await self._is_somebody_at_home(lease)
            place = self._place(lease)
            if may and place.taking_since_ns is None:
                place.taking_since_ns = self._clock.monotonic_ns()
            return may
        await self._clock.sleep(DESKS_FIRST_S)
        if self._is_taking_a_desk():
            return False
        return not self._trades() or not await self._others_for_console()

    def _is_taking_a_desk(self) -> bool:
        lately_ns = self._clock.monotonic_ns() - int(DESKS_WITHIN_S * 1e9)
        return any(place.taking_since_ns is not None and place.taking_since_ns > lately_ns for place in self._places)

    def _place(self, lease: str) -> Place:
        return next(place for place in self._places if place.lease == lease)

    async def _hand_console_to_an_idle_node(self) -> None:
        console = next((place for place in self._places if place.lease == CONSOLE and place.seat is not None), None)
        if console is not None and self._trades() and await self._others_for_console():
            console.hand_over()

    async def _others_for_console(self) -> list[str]:
        """Nodes that have a desk to themselves serve no console."""
        own = tuple(f"{home}-" for home in self._homes.values())
        ready = await self._cluster.others_ready(self._deaths.lives)
        return [node for node in ready if not node.startswith(own)] if own else ready

    async def _hand_desks_home(self) -> None:
        for place in self._places:
            if place.seat is not None and place.lease in self._homes and await self._is_somebody_at_home(place.lease):
                place.hand_over()

    async def _is_somebody_at_home(self, lease: str) -> bool:
        home = f"{self._homes[lease]}-"
        return any(node.startswith(home) for node in await self._cluster.others_ready(self._deaths.lives))

    async def _say_lease(self, move: Move, seat: HeldSeat, took_ms: float) -> None:
        body = LeaseMove(seat.lease, seat.epoch, seat.succession.value, round(took_ms, 2))
        await self._cluster.say_lease(move, body)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.warning("while ending: %s", outcome)
