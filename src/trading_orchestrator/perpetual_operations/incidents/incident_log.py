"""IncidentLog: says at once what happened, and journals it as soon as the journal can be written."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.ids import RandomBytes, new_id, system_random
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.correlation import is_shared, outlives_its_node, root_of
from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident, after, opened
from trading_orchestrator.perpetual_operations.incidents.past_steps import steps_taken
from trading_orchestrator.perpetual_operations.incidents.plain_text import plainly
from trading_orchestrator.perpetual_operations.incidents.still_open import StillOpen
from trading_orchestrator.storage.ports import FactStore, Fence, LeaseHeld, NewFact, Put, StaleEpoch

log = logging.getLogger(__name__)
LEASES = "incidents/"
LEASE_TTL_S = 3.0
WAITING_MAX = 10_000
AT_ONCE = 100
AGAIN_S = 1.0
LOSS_SHOWN_S = 600.0
"""What was lost is told for so long after the last of it; afterwards its number stands in what a healthy log says."""


class IncidentUnknown(Refused):
    """There is no incident of this id. Facts: incident_id."""

    code = "incidents.unknown"


class PlaceHeld(Transient):
    """The node that was in this place before still holds its lease, for some seconds at most. Facts: holder."""

    code = "incidents.place_held"


class IncidentLog:
    """The incidents of one node. Recovery must go on while the journal cannot be written, so `say` never waits:
    what was said counts at once, and is journaled in order by `run`. Use from one event loop.
    """

    name = "incident_log"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        *,
        node: str,
        random_bytes: RandomBytes = system_random,
        is_gone: Callable[[str], bool] = lambda node: False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._node = node
        self._lease = f"{LEASES}{_place(node)}"  # of the place, so that leases do not pile up
        self._still_open = StillOpen(store)
        self._together = AT_ONCE
        self._random_bytes = random_bytes
        self._is_gone = is_gone
        self._fence: Fence | None = None
        self._claiming = asyncio.Lock()
        self._open: dict[str, Incident] = {}
        self._waiting: deque[f.Recorded] = deque()
        self._rows: dict[str, Incident] = {}
        self._wake = asyncio.Event()
        self._listeners: list[Callable[[f.Body], None]] = []
        self.lost = 0
        self.refused = 0
        self._lost_ns = 0
        self.loaded = False

    @property
    def open(self) -> Mapping[str, Incident]:
        """Return the incidents that are not over, by the part that is their cause."""
        return self._open

    def listen(self, hear: Callable[[f.Body], None]) -> None:
        """Call `hear` with everything said from now on, at once."""
        self._listeners.append(hear)

    def new_id(self) -> str:
        return new_id(self._clock.wall_ns(), self._random_bytes)

    def say(self, body: f.Body) -> Incident:
        """Take one fact in and return the incident after it.

        Raises:
            IncidentUnknown: it is about an incident that is over or was never opened here.
        """
        body = plainly(body)
        if isinstance(body, f.Opened):
            incident = opened(body, self._node)
        else:
            before = next((one for one in self._open.values() if one.incident_id == body.incident_id), None)
            if before is None:
                raise IncidentUnknown(f"no open incident has the id {body.incident_id}", incident_id=body.incident_id)
            incident = after(before, body)
        if incident.is_over or not incident.node:
            self._open.pop(incident.part, None)
        else:
            self._open[incident.part] = incident
        self._rows[incident.incident_id] = incident
        self.record(body)
        for hear in self._listeners:
            hear(body)
        return incident

    def note(self, part: str, note: str, *, by: str = "") -> None:
        """Add a line to the story of this part's open incident, if there is one."""
        incident = self._open.get(part)
        if incident is not None:
            about = {"incident_id": incident.incident_id, "at_ns": self._clock.wall_ns()}
            self.say(f.Noted(**about, note=note, by=by))  # type: ignore[arg-type]

    def record(self, body: f.Recorded) -> None:
        """Journal a fact of operations that belongs to no incident, as soon as the journal can be written."""
        self._waiting.append(plainly(body))
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[AT_ONCE]  # not the first ones: they may be on their way into the journal
            self.lost += 1
            self._lost_ns = self._clock.monotonic_ns()
        self._wake.set()

    def health(self) -> Health:
        losses = []
        if self.lost:
            losses.append(f"{self.lost} entries were lost while the journal could not be written")
        if self.refused:
            losses.append(f"the journal refused {self.refused} entries for what they say")
        if losses and self._clock.monotonic_ns() - self._lost_ns < LOSS_SHOWN_S * 1e9:
            return Health(HealthState.DEGRADED, "; ".join(losses))
        if len(self._waiting) > AT_ONCE:
            return Health(HealthState.DEGRADED, f"{len(self._waiting)} entries wait for the journal")
        return Health(HealthState.HEALTHY, "; ".join((f"{len(self._open)} open incidents", *losses)))

    async def run(self) -> None:
        """Find the incidents this node left open, then journal what is said until cancelled."""
        while True:
            try:
                if not self.loaded:
                    await self._load()
                while self._waiting:
                    await self._flush()
            except StaleEpoch:
                self._fence = None  # another process of this name wrote meanwhile: ask for the lease again
            except (Transient, Unknown) as error:
                log.warning("incidents wait for the journal: %s", error.message)
                await self._clock.sleep(AGAIN_S)
            else:
                await self._wake.wait()
                self._wake.clear()

    async def flush(self) -> None:
        """Journal all that waits, once; for an ordered stop.

        Raises:
            Transient, Unknown, StaleEpoch: it could not be written now.
        """
        while self._waiting:
            await self._flush()

    async def close_for_the_dead(self, is_gone: Callable[[str], bool]) -> None:
        """End what dead nodes left open of their own: those parts died with them. The rest is inherited.

        Args:
            is_gone: whether a node lives no more; its file, the proof of that, may be cleared away by now.

        Raises whatever the store raises.
        """
        ended = self.unwritten
        for incident in await self.under_way():
            if incident.node in ("", self._node) or outlives_its_node(incident.part) or not is_gone(incident.node):
                continue
            if incident.incident_id in ended:
                continue
            proof = f"node {incident.node} is gone, and {incident.part} with it"
            self._end_unproved(incident, proof, by=f.SUCCESSOR)

    @property
    def unwritten(self) -> Collection[str]:
        """Return the ids of incidents of which the journal does not know everything yet that was said here.

        Take it before you read: what the journal tells of these is behind.
        """
        return {body.incident_id for body in self._waiting if isinstance(body, f.Body)}

    async def under_way(self) -> Sequence[Incident]:
        """Return every incident that is not over by the journal, oldest first. Raises whatever the store raises."""
        return await self._still_open.look()

    def inherit(self, incident: Incident) -> None:
        """Go on with what is nobody's. One of our own for the same part goes up in it, or the other way round."""
        own = self._open.get(incident.part)
        if own is not None and own.incident_id == incident.incident_id:
            return
        if own is not None and _stands_for(own, incident):
            self._go_up_in(own, incident)
            return
        at_ns = self._clock.wall_ns()
        if own is not None:
            self.say(f.Merged(incident_id=own.incident_id, at_ns=at_ns, into=incident.incident_id))
        self._open[incident.part] = incident
        self.say(f.Inherited(incident_id=incident.incident_id, at_ns=at_ns, node=self._node, was=incident.node))

    def leave(self, incident: Incident) -> None:
        """Let another node go on with one of ours, as the journal has it: two took it over, and that one wrote last."""
        self._open.pop(incident.part, None)

    def end_unproved(self, incident: Incident, why: str) -> None:
        """End what is nobody's, and stays so."""
        self._end_unproved(incident, why, by=f.NOT_WATCHED)

    async def steps_taken(self, part: str, since_ns: int) -> Sequence[tuple[str, int]]:
        """Return action and time (UTC ns) of each step that was begun for the part, here or where it was before.

        Raises whatever the store raises.
        """
        everybody, here = outlives_its_node(part), _place(self._node)
        return await steps_taken(self._store, part, since_ns, lambda node: everybody or _place(node) == here)

    async def touch(self) -> None:
        """Write once, as an order's intent would: renew this node's own lease, durably.

        Raises:
            Transient, Unknown, StaleEpoch: the journal cannot be written now, and why.
        """
        fence = await self._held()
        try:
            await self._store.renew_lease(fence.lease, holder=self._node, epoch=fence.epoch, ttl_s=LEASE_TTL_S)
        except StaleEpoch:
            self._fence = None
            raise

    async def _held(self) -> Fence:
        async with self._claiming:
            if self._fence is None:
                self._fence = Fence(self._lease, await self._claim())
            return self._fence

    async def _claim(self) -> int:
        """Return the epoch. The predecessor in this node's place is dead, or must let go first.

        Raises:
            PlaceHeld: it has not.
        """
        holder = next((row.holder for row in await self._store.leases() if row.name == self._lease), "")
        dead = holder if holder and holder != self._node and self._is_gone(holder) else ""
        try:
            row = await self._store.claim_lease(self._lease, holder=self._node, ttl_s=LEASE_TTL_S, dead_holder=dead)
        except LeaseHeld as error:
            raise PlaceHeld(error.message, holder=holder) from None
        return row.epoch

    async def _load(self) -> None:
        for incident in reversed(await self.under_way()):
            if incident.node == self._node:
                newer = self._open.setdefault(incident.part, incident)
                if newer is not incident:
                    self._go_up_in(newer, incident)
        self.loaded = True

    def _end_unproved(self, incident: Incident, proof: str, *, by: str) -> None:
        body = f.Resolved(incident_id=incident.incident_id, at_ns=self._clock.wall_ns(), proof=proof, by=by)
        self._rows[incident.incident_id] = after(incident, body)
        self.record(body)

    def _go_up_in(self, newer: Incident, older: Incident) -> None:
        """The part failed again before the older one was known of: one story for one cause."""
        body = f.Merged(incident_id=older.incident_id, at_ns=self._clock.wall_ns(), into=newer.incident_id)
        self._rows[older.incident_id] = after(older, body)
        self.record(body)

    async def _flush(self) -> None:
        fence = await self._held()
        bodies = list(self._waiting)[: self._together]
        new = [NewFact(f.STREAM, body.kind, body) for body in bodies]
        touched = {body.incident_id for body in bodies if isinstance(body, f.Body)}
        puts = [Put(PROJECTION, one, self._rows[one]) for one in touched if one in self._rows]
        words = {body.circuit: body for body in bodies if isinstance(body, f.CircuitChanged) and body.by}
        puts += [Put(f.CIRCUITS, circuit, body) for circuit, body in words.items()]
        try:
            written = await self._store.append(new, node=self._node, fence=fence, puts=puts)
        except Unknown:
            if not await self._is_written(bodies[-1]):
                raise
            written = ()
        except StaleEpoch:
            raise
        except Refused as error:
            self._refused(bodies, error)
            return
        self._together = AT_ONCE
        for _ in bodies:
            self._waiting.popleft()
        await self._correlate(bodies, [fact.pos for fact in written])
        still = {*self.unwritten, *(one.incident_id for one in self._open.values())}
        self._rows = {one: row for one, row in self._rows.items() if one in still}

    def _refused(self, bodies: Sequence[f.Recorded], error: Refused) -> None:
        """One entry must not keep the others out: they are written one by one until it is found, and then dropped."""
        if len(bodies) > 1:
            self._together = 1
            return
        self._waiting.popleft()
        self.refused += 1
        self._lost_ns = self._clock.monotonic_ns()
        log.error("the journal refuses %s, which is dropped: %s", bodies[0].kind, error.message)

    async def _correlate(self, bodies: Sequence[f.Recorded], at_pos: Sequence[int]) -> None:
        """Let the incident of another node stand for one of ours with the same cause; without an answer, for itself."""
        for body, pos in zip(bodies, at_pos, strict=False):
            if not isinstance(body, f.Opened) or not is_shared(body.part):
                continue
            try:
                root = await root_of(self._store, self._rows[body.incident_id], pos, self._is_gone)
            except (Transient, Unknown) as error:
                log.warning("%s is not compared with other nodes: %s", body.part, error.message)
                continue
            if root is not None:
                about = {"incident_id": body.incident_id, "at_ns": self._clock.wall_ns()}
                self._add(f.Correlated(**about, same_cause_as=root.incident_id, node=root.node))  # type: ignore[arg-type]

    def _add(self, body: f.Body) -> None:
        """Like `say`, also of an incident that is over by now."""
        incident = self._rows[body.incident_id] = after(self._rows[body.incident_id], body)
        now_open = self._open.get(incident.part)
        if now_open is not None and now_open.incident_id == incident.incident_id:
            self._open[incident.part] = incident
        self.record(body)

    async def stands_for_itself(self, incident_id: str) -> bool:
        """Return whether people must hear of this incident: no other node's, still under way, stands for it."""
        incident = next((one for one in self._open.values() if one.incident_id == incident_id), None)
        if incident is None or not incident.same_cause_as:
            return True
        try:
            row = await self._store.row(PROJECTION, incident.same_cause_as)
        except OrchestratorError:  # nobody knows: then it is better said twice
            return True
        root = None if row is None else msgspec.json.decode(row.value, type=Incident)
        return root is None or root.is_over or not root.node or self._is_gone(root.node)

    async def _is_written(self, body: f.Recorded) -> bool:
        """A commit is all or nothing: if the last of them is there, all are."""
        found = await self._store.read_before(stream=f.STREAM, before_pos=None, limit=2 * AT_ONCE)
        same_kind = (fact for fact in found if fact.kind == body.kind)
        return any(msgspec.json.decode(fact.body, type=type(body)) == body for fact in same_kind)


def _stands_for(own: Incident, other: Incident) -> bool:
    """Return whether our incident goes on with the story of another's: it is the older, or stands for it already."""
    if own.same_cause_as == other.incident_id:
        return False
    return bool(other.same_cause_as) or own.opened_ns < other.opened_ns


def _place(node: str) -> str:
    """Return the place of a node: its name without the number of the process."""
    return node.rpartition("-")[0] or node
