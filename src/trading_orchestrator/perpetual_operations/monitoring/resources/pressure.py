"""Which resources are short: a pure function over a sample and the limits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

QUEUED_PER_CORE = 2


class Resource(Enum):
    """What can run short."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    DESCRIPTORS = "descriptors"
    LOOP = "event_loop"


class Reading(msgspec.Struct, frozen=True):
    """`used` over `limit` is pressure; below `ease_ratio` of it the pressure has ended."""

    used: float
    limit: float
    what: str

    @property
    def ratio(self) -> float:
        return self.used / self.limit if self.limit else 0.0


def readings(
    sample: Sample, config: ResourcesConfig, *, memory_bytes: int, descriptors_max: int, cores: int
) -> Mapping[Resource, Reading]:
    """Return how much of each limit is used. Cores that are busy are no pressure until work queues for them."""
    queued = sample.host_load_1m / (QUEUED_PER_CORE * cores)
    host = Reading(sample.host_memory_ratio, config.host_memory_ratio, "memory of the host")
    own = Reading(sample.process_rss_bytes, memory_bytes, "memory of this node")
    floor = config.disk_floor_bytes
    return {
        Resource.CPU: Reading(min(sample.host_cpu_ratio, queued), config.host_cpu_ratio, "CPU of the host"),
        Resource.MEMORY: max(host, own, key=lambda each: each.ratio),
        # free space is turned round, so that more is worse here as well
        Resource.DISK: Reading(float(floor), float(max(1, sample.disk_free_bytes)), "the disk's floor"),
        Resource.DESCRIPTORS: Reading(
            sample.process_descriptors, config.descriptors_ratio * descriptors_max, "open descriptors"
        ),
        Resource.LOOP: Reading(sample.loop_lag_s, config.loop_lag_s, "lateness of the event loop"),
    }
