"""Guards: what acts on what a node measures of itself: limits, leaks, and giving memory back. Every node has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, Health
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.monitoring.clock_watch import ClockWatch
from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import HandOver, MemoryLeakDetector
from trading_orchestrator.perpetual_operations.monitoring.leaks.relief import Relief
from trading_orchestrator.perpetual_operations.monitoring.leaks.tracer import TracemallocTracer
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.resources.clean_up import CleanUp
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.facts import GivenUp
from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import Resource
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import Lever, ResourceMonitor
from trading_orchestrator.storage.ports import FactStore

SLOWER = 5
PROBED = {Resource.CPU: "cpu", Resource.MEMORY: "memory", Resource.DISK: "disk", Resource.DESCRIPTORS: "descriptors"}


@runtime_checkable
class HasLog(Protocol):
    """A store with a log beside its file that can be cut."""

    async def cut_log(self) -> int: ...


async def nobody_takes_over(because: str) -> bool:
    """The default for `hand_over`: a program without a keeper has nobody to hand over to."""
    return False


class Guards:
    """One event loop. Their facts stand in the stream `cluster`, which needs no lease: each node speaks of itself.

    Args:
        hand_over: asks this node to leave in order so that a fresh process takes its place; False: not now.
        keeps_house: whether this node cleans up the data directory for all.
    """

    def __init__(
        self,
        resources: ResourcesConfig,
        leaks: LeaksConfig,
        *,
        watching: NodeWatch,
        store: FactStore,
        clock: Clock,
        data_dir: Path,
        node: str,
        hand_over: HandOver = nobody_takes_over,
        keeps_house: Callable[[], bool] = lambda: True,
    ) -> None:
        self.given_up = GivenUp(store, node=node)
        self._enabled = (resources.enabled, leaks.enabled)
        self.memory_bytes = resources.memory_limit_bytes(is_node=hand_over is not nobody_takes_over)
        self.relief = Relief()
        clean_up = CleanUp(data_dir, log_days=resources.log_days, temp_hours=resources.temp_hours)
        self.resources = ResourceMonitor(
            resources,
            node=node,
            clock=clock,
            clean_up=clean_up,
            memory_bytes=self.memory_bytes,
            tell=self.given_up.tell,
            keeps_house=keeps_house,
        )
        self.leaks = MemoryLeakDetector(
            leaks,
            node=node,
            limit_bytes=self.memory_bytes,
            clock=clock,
            tracer=TracemallocTracer(),
            relief=self.relief,
            lag_s=watching.loop_lag.overdue_or_last_s,
            tell=self.given_up.tell,
            hand_over=hand_over,
        )
        self.resources.add_lever("caches", Lever(self.relief.relieve, None))
        slow, usual = (lambda: watching.monitor.slow_down(SLOWER)), (lambda: watching.monitor.slow_down(1))
        self.resources.add_lever("sampling", Lever(slow, usual))
        if isinstance(store, HasLog):
            self.resources.add_lever("journal_log", Lever(store.cut_log, None))
        self.clock = ClockWatch(clock)
        for guard in (self.resources, self.leaks, self.clock):
            watching.follow(guard.note)

    @property
    def parts(self) -> Sequence[Component]:
        """Return those that are switched on."""
        guards: tuple[Component, ...] = (self.resources, self.leaks)
        return [part for part, on in zip(guards, self._enabled, strict=True) if on]

    def probes(self) -> Mapping[str, AtOnce]:
        """Return a probe for each resource, the clock, and the leak detector, by name."""
        found: dict[str, Callable[[], Health]] = {}
        if self.resources in self.parts:
            found |= {name: _of(self.resources, which) for which, name in PROBED.items()}
            found["clock"] = self.clock.health
        if self.leaks in self.parts:
            found[self.leaks.name] = self.leaks.health
        return {name: AtOnce(ask) for name, ask in found.items()}

    async def shed_load(self, part: str) -> str:
        """Take the next step that eases the resource of this name; for recovery ladders."""
        which = next((which for which in Resource if which.value == part), Resource.CPU)
        return await self.resources.shed_load(which)

    async def clean_up(self, part: str) -> str:
        """Make room on the disk; for recovery ladders."""
        removed = await self.resources.clean(make_room=part == "disk")
        return f"removed {removed.files} files of {removed.bytes / 1e6:.1f} MB"


def _of(resources: ResourceMonitor, which: Resource) -> Callable[[], Health]:
    return lambda: resources.health_of(which)
