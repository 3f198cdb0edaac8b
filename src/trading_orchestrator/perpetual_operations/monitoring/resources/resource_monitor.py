"""ResourceMonitor: holds the limits, gives load up in steps while one is met, and takes it back when it is not."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.deadline import Deadline, DeadlinePassed
from trading_orchestrator.perpetual_operations.monitoring.resources.clean_up import CleanUp, Removed
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.facts import LoadEased, LoadMoved
from trading_orchestrator.perpetual_operations.monitoring.resources.hysteresis import Hysteresis, Move
from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import (
    DiskReading,
    Reading,
    Resource,
    readings,
)
from trading_orchestrator.perpetual_operations.monitoring.resources.shedding import BUSY, STEPS, Step
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

log = logging.getLogger(__name__)
LEVER_S = 5.0
LAST_WORD_S = 1.0
CLEAN_EVERY_NS = 3_600_000_000_000
AGAIN_S, SELDOM_AGAIN_S = 60.0, 900.0  # a full collection stops the loop; what did not help soon helps seldom
FAILURES = {
    Resource.CPU: "cpu.saturated",
    Resource.MEMORY: "memory.pressure",
    Resource.DISK: "disk.low",
    Resource.LOOP: "event_loop.blocked",
    Resource.DESCRIPTORS: "descriptors.short",
}
DISK_FULL = "disk.full"
TellFact = Callable[[str, object], Awaitable[None]]
UNMEASURED = Reading(0.0, 0.0, "load", str)


class NothingLeft(Refused):
    """Every step that eases the resource is taken already. Facts: resource."""

    code = "load.nothing_left"


@dataclass(frozen=True)
class Lever:
    """What a part offers to give up. Both are called on the event loop and must not block; what they return is awaited
    when it can be, for some seconds at most. Raising means that nothing was given up.

    restore: None when there is nothing to undo, as with an emptied cache; such a step may be taken again and again.
    """

    shed: Callable[[], object]
    restore: Callable[[], object] | None


@dataclass
class _Taken:
    """A step that is taken. `again_s`: how long after `taken_ns` it may be taken once more."""

    step: Step
    resource: Resource
    taken_ns: int
    again_s: float = AGAIN_S


class ResourceMonitor:
    """A component of every node. One event loop.

    Args:
        memory_bytes: what this process may have resident.
        tell: journals a fact.
        keeps_house: whether this node cleans up for all (it serves the console).
    """

    name = "resource_monitor"
    depends_on: Sequence[str] = ("system_monitor",)

    def __init__(
        self,
        config: ResourcesConfig,
        *,
        node: str,
        clock: Clock,
        clean_up: CleanUp,
        memory_bytes: int,
        tell: TellFact,
        keeps_house: Callable[[], bool] = lambda: True,
    ) -> None:
        self._config = config
        self._clock = clock
        self._node = node
        self._clean_up = clean_up
        self._memory_bytes = memory_bytes
        self._tell = tell
        self._keeps_house = keeps_house
        self._descriptors_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._cores = os.cpu_count() or 1
        self._levers: dict[str, Lever] = {"expired_files": Lever(self._ask_for_room, None)}
        self._waits = {
            each: Hysteresis(
                rises_s=config.busy_rises_s if each in BUSY else config.rises_s,
                falls_s=config.falls_s,
                ease_ratio=config.ease_ratio,
            )
            for each in Resource
        }
        self._readings: Mapping[Resource, Reading] = {}
        self._sample: Sample | None = None
        self._noted = asyncio.Event()
        self._taken: list[_Taken] = []
        self._failed: set[str] = set()
        self._told_of: set[Resource] = set()
        self._cleaned_ns: int | None = None
        self._wants_room = False

    def add_lever(self, name: str, lever: Lever) -> None:
        """Let a step of the table be taken: its `lever` is this name."""
        self._levers[name] = lever

    @property
    def levers(self) -> Mapping[str, Lever]:
        """Return what can be given up here, by the name that the table of steps has for it."""
        return self._levers

    @property
    def shed(self) -> Sequence[str]:
        """Return what is given up now, the first step first."""
        return [taken.step.lever for taken in self._taken]

    def note(self, sample: Sample) -> None:
        """Take a sample; the next look judges it."""
        self._sample = sample
        self._noted.set()

    def health(self) -> Health:
        if self._taken:
            return Health(HealthState.DEGRADED, f"load is shed: {', '.join(self.shed)}")
        if not self._readings:
            return Health(HealthState.STARTING, "no sample yet")
        return Health(HealthState.HEALTHY, "every resource is within its limit")

    def health_of(self, which: Resource) -> Health:
        """Return how one resource is, for a probe of its own."""
        reading = self._readings.get(which)
        if reading is None:
            return Health(HealthState.HEALTHY, "not measured yet")
        said = reading.sentence
        if not self._waits[which].has_lasted:
            return Health(HealthState.HEALTHY, said)
        is_full = isinstance(reading, DiskReading) and reading.is_full
        return Health(HealthState.DEGRADED, said, DISK_FULL if is_full else FAILURES[which])

    async def run(self) -> None:
        """Look at each sample until cancelled; then take everything back."""
        try:
            while True:
                await self._noted.wait()
                self._noted.clear()
                await self.look()
        finally:
            await self._take_all_back()

    async def look(self) -> None:
        """Judge the newest sample, move at most one step a resource, and clean up when it is due."""
        sample, self._sample = self._sample, None
        if sample is not None:
            self._readings = readings(
                sample,
                self._config,
                memory_bytes=self._memory_bytes,
                descriptors_max=self._descriptors_max,
                cores=self._cores,
            )
            at_s = self._clock.monotonic_ns() / 1e9
            for which, reading in self._readings.items():
                await self._move(which, reading, self._waits[which].take(at_s, reading))
            await self._say_what_is_eased()
        await self._keep_house(sample)

    async def shed_load(self, which: Resource) -> str:
        """Take the next step that eases this resource at once, and return what it is; for recovery ladders.

        Whoever asks has seen what is wrong, be it a journal or a pool that no limit here is about; the step is taken
        back when the resource has been at ease for long enough, as any other.

        Raises:
            NothingLeft: every step is taken.
        """
        self._waits[which].begin_anew()
        while (step := self._next(which)) is not None:
            if await self._take(step, which, self._readings.get(which, UNMEASURED)):
                return step.says
        raise NothingLeft(f"everything that eases {which.value} is given up already", resource=which.value)

    async def clean(self, *, make_room: bool = False) -> Removed:
        """Remove what is expired, and what must go to keep the disk above its floor."""
        self._wants_room = self._wants_room or make_room
        now_s = self._clock.wall_ns() / 1e9
        removed = await asyncio.to_thread(self._clean_up.expired, now_s)
        if removed.files:
            await self._told("files.removed", removed)
        if not self._wants_room:
            return removed
        self._wants_room = False
        disk = self._readings.get(Resource.DISK)
        missing = int(disk.used * (2 - self._config.ease_ratio) - disk.limit) if disk is not None else 0
        more = await asyncio.to_thread(self._clean_up.make_room, now_s, max(0, missing))
        if more.files:
            await self._told("files.removed", more)
        return Removed(
            removed.files + more.files,
            removed.bytes + more.bytes,
            tuple(sorted({*removed.folders, *more.folders})),
            more.because,
        )

    async def _move(self, which: Resource, reading: Reading, move: Move) -> None:
        if move is Move.SHED:
            step = self._next(which)
            if step is not None:
                await self._take(step, which, reading)
            else:
                await self._take_again(which, reading)
        elif move is Move.RESTORE:
            self._failed -= {step.lever for step in STEPS if which in step.eases}
            taken = next((each for each in reversed(self._taken) if each.resource is which), None)
            if taken is not None and not self._still_needed(taken):
                await self._undo(taken)
                log.info("%s is at ease again: %s is taken back", which.value, taken.step.lever)
                await self._told("load.restored", self._moved(taken.step, which, reading))

    def _next(self, which: Resource) -> Step | None:
        gone = {each.step.lever for each in self._taken} | self._failed
        return next(
            (step for step in STEPS if which in step.eases and step.lever in self._levers and step.lever not in gone),
            None,
        )

    async def _take(self, step: Step, which: Resource, reading: Reading) -> bool:
        """Return whether the step was taken; one that fails is left alone until the pressure has ended once."""
        log.warning("%s: %s", _because(reading), step.says)
        trouble = await self._pull(self._levers[step.lever].shed)
        if trouble:
            self._failed.add(step.lever)
            log.error("%s could not be shed: %s", step.lever, trouble)
            says = f"{step.lever} could not be given up: {trouble}"
            await self._told("load.shed_failed", self._moved(step, which, reading, says))
            return False
        self._taken.append(_Taken(step, which, self._clock.monotonic_ns()))
        self._told_of.add(which)
        await self._told("load.shed", self._moved(step, which, reading))
        return True

    async def _take_again(self, which: Resource, reading: Reading) -> None:
        """Nothing more to give up: what has no undoing (caches, expired files) is done once more, ever more seldom."""
        for taken in list(self._taken):
            lever, now_ns = self._levers[taken.step.lever], self._clock.monotonic_ns()
            is_due = now_ns - taken.taken_ns >= taken.again_s * 1e9
            if which not in taken.step.eases or lever.restore is not None or not is_due:
                continue
            taken.taken_ns, taken.again_s = now_ns, min(2 * taken.again_s, SELDOM_AGAIN_S)
            if trouble := await self._pull(lever.shed):
                log.error("%s could not be shed once more: %s", taken.step.lever, trouble)
                says = f"{taken.step.lever} could not be given up once more: {trouble}"
                await self._told("load.shed_failed", self._moved(taken.step, which, reading, says))
            else:
                says = f"once more, {taken.step.says}"
                await self._told("load.shed_again", self._moved(taken.step, which, reading, says))

    async def _take_all_back(self) -> None:
        """First everything, then the facts: a journal that hangs must not keep a step taken, nor the process here."""
        given_back = list(reversed(self._taken))
        for taken in given_back:
            await self._undo(taken)
        for taken in given_back:
            reading = self._readings.get(taken.resource, UNMEASURED)
            says = f"{taken.step.lever} is taken back, for this part ends"
            tell = self._told("load.restored", self._moved(taken.step, taken.resource, reading, says))
            await self._in_time(tell)
        await self._in_time(self._say_what_is_eased("its part of operations ended"))

    async def _in_time(self, telling: Awaitable[object]) -> None:
        try:
            await Deadline(self._clock, LAST_WORD_S).run(telling)
        except DeadlinePassed:
            log.warning("what is taken back could not be journaled in time")

    async def _say_what_is_eased(
        self, says: str = "it is at ease again, and all that was given up is taken back"
    ) -> None:
        """Until the journal took it: an alert waits for this word."""
        for which in sorted(self._told_of - {each.resource for each in self._taken}, key=lambda each: each.value):
            if await self._told(LoadEased.kind, LoadEased(self._node, which.value, says)):
                self._told_of.discard(which)

    def _still_needed(self, taken: _Taken) -> bool:
        """A step taken for one resource stays while another that it eases is pressed."""
        return any(self._waits[each].is_pressed for each in taken.step.eases)

    async def _undo(self, taken: _Taken) -> None:
        self._taken.remove(taken)
        restore = self._levers[taken.step.lever].restore
        if restore is not None and (trouble := await self._pull(restore)):
            log.error("%s could not be restored: %s", taken.step.lever, trouble)

    async def _pull(self, lever: Callable[[], object]) -> str:
        """Return what went wrong, "" when nothing did."""
        try:
            outcome = lever()
            if isawaitable(outcome):
                await Deadline(self._clock, LEVER_S, what="it").run(outcome)
        except Exception as error:  # noqa: BLE001 - a part's own lever must not stop the others
            return str(error) or type(error).__name__
        return ""

    def _ask_for_room(self) -> None:
        self._wants_room = True

    async def _keep_house(self, sample: Sample | None) -> None:
        now_ns = self._clock.monotonic_ns()
        is_due = self._cleaned_ns is None or now_ns - self._cleaned_ns > CLEAN_EVERY_NS
        if sample is not None and (is_due or self._wants_room) and self._keeps_house():
            self._cleaned_ns = now_ns
            await self.clean()

    def _moved(self, step: Step, which: Resource, reading: Reading, says: str = "") -> LoadMoved:
        return LoadMoved(
            node=self._node,
            step=step.lever,
            resource=which.value,
            used=round(reading.used, 6),
            limit=round(reading.limit, 6),
            says=says or step.says,
            because=_because(reading),
        )

    async def _told(self, kind: str, body: object) -> bool:
        try:
            await self._tell(kind, body)
        except OrchestratorError as error:  # a full disk takes no fact, and room must be made all the same
            log.warning("%s could not be journaled: %s", kind, error.message)
            return False
        return True


def _because(reading: Reading) -> str:
    """A recovery may ask for a step while the resource itself is at ease."""
    return reading.sentence if reading.ratio >= 1 else "a recovery asked for it"
