"""MemoryLeakDetector: suspects cheaply, confirms by tracing, names the line, and hands over before the limit."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.monitoring.leaks.agreement import Agreement, signals
from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.floors import Floors
from trading_orchestrator.perpetual_operations.monitoring.leaks.relief import Relief, Relieved
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import Suspicion, blocks_of, suspect
from trading_orchestrator.perpetual_operations.monitoring.leaks.tracer import Tracer
from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Cause, Grown, Verdict, is_unseen, judge
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
GUARD_EVERY_S = 0.1
LONGEST_TRACES = 12
TRACE_AGAIN_S = 30.0  # after tracing that had to end early
SEEN_BYTES = 64_000
ASK_AGAIN_NS = 10_000_000_000
RELIEVE_AGAIN_NS, RELIEVE_LATER_NS = 60_000_000_000, 900_000_000_000  # a full collection stops the loop
HELPED_RATIO = 0.01
FAILURE = "memory.leak"
TellFact = Callable[[str, object], Awaitable[None]]
HandOver = Callable[[str], Awaitable[bool]]


class Judged(msgspec.Struct, frozen=True):
    """The body of `leak.judged`: a suspicion with what tracing made of it."""

    node: str
    suspicion: Suspicion
    verdict: Verdict
    sentence: str


class HandoverAsked(msgspec.Struct, frozen=True):
    """The body of `memory.handover_asked`: a fresh process is to take this one's place before the limit."""

    level_bytes: float
    limit_bytes: float
    limit_in_s: float | None
    because: str


class MemoryLeakDetector:
    """A component of every node. One event loop.

    Args:
        limit_bytes: resident memory that this process must not reach.
        lag_s: how late the event loop comes now; tracing ends when it is more than `trace_lag_s`.
        tell: journals a fact.
        hand_over: asks this node to leave in order; False when nobody could take its place yet.
        objects: counts the blocks that Python's allocator has given out; 0.06 ms at a million objects.
    """

    name = "memory_leak_detector"
    depends_on: Sequence[str] = ("system_monitor",)

    def __init__(
        self,
        config: LeaksConfig,
        *,
        node: str,
        limit_bytes: int,
        clock: Clock,
        tracer: Tracer,
        relief: Relief,
        lag_s: Callable[[], float],
        tell: TellFact,
        hand_over: HandOver,
        objects: Callable[[], int] = sys.getallocatedblocks,
    ) -> None:
        self._config = config
        self._node = node
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._tracer = tracer
        self._relief = relief
        self._lag_s = lag_s
        self._tell = tell
        self._hand_over = hand_over
        self._objects = objects
        self._resident = [(window_s, _floors(window_s), Agreement(window_s)) for window_s in config.windows_s]
        self._began_s: float | None = None
        self._level_bytes = 0.0
        self._suspicion: Suspicion | None = None
        self._trace_due_ns = 0
        self._relief_due_ns = 0
        self._asked_ns: int | None = None
        self._suspected_ns = 0
        self.judged: Judged | None = None

    def health(self) -> Health:
        if self.judged is not None:
            return Health(HealthState.DEGRADED, f"memory leaks: {self.judged.sentence}", FAILURE)
        if self._level_bytes == 0:
            return Health(HealthState.HEALTHY, "no sample yet")
        used = 100 * self._level_bytes / self._limit_bytes
        return Health(HealthState.HEALTHY, f"{self._level_bytes / 1e6:.0f} MB, {used:.0f} % of the limit")

    def note(self, sample: Sample) -> None:
        """Take a sample: 0.1 ms at a million objects."""
        at_s = self._clock.monotonic_ns() / 1e9
        self._began_s = at_s if self._began_s is None else self._began_s
        self._level_bytes = sample.process_rss_bytes
        others = signals(sample, self._objects())
        for window_s, floors, agreement in self._resident:
            agreement.note(at_s, others)
            if floors.add(at_s, sample.process_rss_bytes) and floors.is_full:
                found = self._suspect(floors, window_s, at_s - self._began_s)
                if found is not None:
                    self._suspicion = msgspec.structs.replace(found, agrees=tuple(agreement.rising))

    def _suspect(self, floors: Floors, window_s: float, uptime_s: float) -> Suspicion | None:
        return suspect(
            floors.values,
            window_s=window_s,
            uptime_s=uptime_s,
            limit_bytes=self._limit_bytes,
            grown_bytes=self._config.grown_bytes,
            sureness=self._config.sureness,
        )

    async def run(self) -> None:
        """Look each second until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Confirm what is suspected, and see to it that the limit is not reached."""
        suspicion, self._suspicion = self._suspicion, None
        if suspicion is not None:
            self._suspected_ns = self._clock.monotonic_ns()
            if self._suspected_ns >= self._trace_due_ns:
                await self._confirm(suspicion)
        self._forget_what_ended()
        limit_in_s = self._limit_in_s()
        is_near = limit_in_s is not None and limit_in_s <= self._config.handover_before_s
        if is_near or self._level_bytes >= self._config.handover_ratio * self._limit_bytes:
            await self._before_the_limit(limit_in_s)

    async def _confirm(self, suspicion: Suspicion) -> None:
        log.info("memory grows by %.1f kB/s: tracing allocations", suspicion.slope_bytes_s / 1000)
        verdict = await self._traced(suspicion)
        wait_s = TRACE_AGAIN_S if verdict is None else self._config.retrace_s
        self._trace_due_ns = self._clock.monotonic_ns() + int(wait_s * 1e9)
        if verdict is None:
            return
        said = f"{verdict.sentence}; limit in {suspicion.limit_in_s / 60:.0f} min"
        judged = Judged(self._node, suspicion, verdict, said)
        await self._told("leak.judged", judged)
        log.warning("memory grows by %.1f kB/s: %s", suspicion.slope_bytes_s / 1000, said)
        if verdict.cause is not Cause.NONE:
            relieved = await self._relieved()
            is_over = relieved.freed_bytes > suspicion.slope_bytes_s * suspicion.window_s / 2
            self.judged = None if is_over else judged

    async def _traced(self, suspicion: Suspicion) -> Verdict | None:
        """Return the verdict, None when the loop came late or somebody else traces: then it is tried again."""
        shortest_s = self._config.trace_s
        window_s = min(max(shortest_s, SEEN_BYTES / suspicion.slope_bytes_s), LONGEST_TRACES * shortest_s)
        windows: list[Grown] = []
        for _ in range(2):
            grown = await self._window(window_s)
            if grown is None:
                return None
            windows.append(grown)
            if is_unseen(sum(grown.values()), suspicion.slope_bytes_s * window_s):
                break  # a second window would slow the program for nothing
        return judge(windows, window_s=window_s, slope_bytes_s=suspicion.slope_bytes_s, agrees=suspicion.agrees)

    async def _window(self, window_s: float) -> Grown | None:
        if not self._tracer.start():
            return None
        try:
            until_ns = self._clock.monotonic_ns() + int(window_s * 1e9)
            while (left_ns := until_ns - self._clock.monotonic_ns()) > 0:
                await self._clock.sleep(min(GUARD_EVERY_S, left_ns / 1e9))
                if self._lag_s() > self._config.trace_lag_s:
                    log.info("tracing ended: the event loop came late")
                    return None
            return await asyncio.to_thread(self._tracer.grown)
        finally:
            self._tracer.stop()

    def _forget_what_ended(self) -> None:
        """A leak that raised no suspicion for three of its windows has ended."""
        if self.judged is not None:
            quiet_ns = self._clock.monotonic_ns() - self._suspected_ns
            if quiet_ns > 3e9 * self.judged.suspicion.window_s:
                self.judged = None

    def _limit_in_s(self) -> float | None:
        """Return when the limit comes at the judged slope, from the level of now."""
        if self.judged is None:
            return None
        return max(0.0, self._limit_bytes - self._level_bytes) / self.judged.suspicion.slope_bytes_s

    async def _before_the_limit(self, limit_in_s: float | None) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._relief_due_ns:
            relieved = await self._relieved()
            self._level_bytes -= relieved.freed_bytes
            if self._level_bytes < self._config.handover_ratio * self._limit_bytes and limit_in_s is None:
                return
        if self._asked_ns is not None and now_ns - self._asked_ns < ASK_AGAIN_NS:
            return
        self._asked_ns = now_ns
        because = self.judged.sentence if self.judged is not None else "resident memory is close to its limit"
        if await self._hand_over(because):
            log.warning("handing over before memory runs out: %s", because)
            await self._told(
                "memory.handover_asked", HandoverAsked(self._level_bytes, self._limit_bytes, limit_in_s, because)
            )

    async def _relieved(self) -> Relieved:
        relieved = self._relief.relieve()
        helped = relieved.freed_bytes > HELPED_RATIO * self._limit_bytes
        self._relief_due_ns = self._clock.monotonic_ns() + (RELIEVE_AGAIN_NS if helped else RELIEVE_LATER_NS)
        await self._told("memory.relieved", relieved)
        for _, floors, agreement in self._resident:
            floors.clear()
            agreement.clear()
        return relieved

    async def _told(self, kind: str, body: object) -> None:
        try:
            await self._tell(kind, body)
        except OrchestratorError as error:  # memory does not wait for a journal
            log.warning("%s could not be journaled: %s", kind, error.message)


def _floors(window_s: float) -> Floors:
    return Floors(window_s / blocks_of(window_s), blocks_of(window_s))
