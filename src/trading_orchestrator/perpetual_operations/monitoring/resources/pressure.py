"""Which resources are short: a pure function over a sample and the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

QUEUED_PER_CORE = 2
FULL_BYTES = 16_000_000
"""With less a write may fail for want of room: the journal's log and a checkpoint of it take a few MB."""


class Resource(Enum):
    """What can run short."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    DESCRIPTORS = "descriptors"
    LOOP = "event_loop"


class Reading(msgspec.Struct, frozen=True):
    """`used` over `limit` is pressure; below `ease_ratio` of it the pressure has ended.

    `say` writes either of the two with its unit.
    """

    used: float
    limit: float
    what: str
    say: Callable[[float], str]

    @property
    def ratio(self) -> float:
        return self.used / self.limit if self.limit else 0.0

    @property
    def sentence(self) -> str:
        """Return it for people, e.g. `CPU of the host is at 97 %, its limit is 90 %`."""
        return f"{self.what} {self.say(self.used)}, its limit is {self.say(self.limit)}"


class DiskReading(Reading, frozen=True):
    """Free space is turned round, so that more is worse here as well: `used` is the floor, `limit` what is free."""

    @property
    def is_full(self) -> bool:
        return self.limit < FULL_BYTES

    @property
    def sentence(self) -> str:
        return f"{self.say(self.limit)} are free on the disk, its floor is {self.say(self.used)}"


def readings(
    sample: Sample, config: ResourcesConfig, *, memory_bytes: int, descriptors_max: int, cores: int
) -> Mapping[Resource, Reading]:
    """Return how much of each limit is used. Cores that are busy are no pressure until work queues for them."""
    queued = sample.host_load_1m / (QUEUED_PER_CORE * cores)
    busy = min(sample.host_cpu_ratio, queued)
    host = Reading(sample.host_memory_ratio, config.host_memory_ratio, "memory of the host is at", _percent)
    own = Reading(sample.process_rss_bytes, memory_bytes, "memory of this node is at", _bytes)
    floor, free = float(config.disk_floor_bytes), float(max(1, sample.disk_free_bytes))
    files, most = sample.process_descriptors, config.descriptors_ratio * descriptors_max
    return {
        Resource.CPU: Reading(busy, config.host_cpu_ratio, "CPU of the host is at", _percent),
        Resource.MEMORY: max(host, own, key=lambda each: each.ratio),
        Resource.DISK: DiskReading(floor, free, "the disk", _bytes),
        Resource.DESCRIPTORS: Reading(files, most, "the number of open descriptors is", _count),
        Resource.LOOP: Reading(sample.loop_lag_s, config.loop_lag_s, "the event loop is late by", _time),
    }


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _count(number: float) -> str:
    return f"{number:.0f}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
