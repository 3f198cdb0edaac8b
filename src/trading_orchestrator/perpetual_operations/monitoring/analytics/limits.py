"""What must not run out, and where: read from what the nodes measure of themselves."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence

from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Limit
from trading_orchestrator.perpetual_operations.monitoring.analytics.watched_series import slot_of
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig

POOL_SIZE, POOL_IN_USE = "trading_pool_size", "trading_pool_in_use"


def limits_of(config: ResourcesConfig, memory_bytes: int, nodes: Sequence[NodeNow]) -> Sequence[Limit]:
    """Return the limits of the host, of every node, and of every pool that a node shows."""
    return [*_of_host(config), *(limit for now in nodes for limit in _of_node(memory_bytes, now))]


def _of_host(config: ResourcesConfig) -> Iterator[Limit]:
    yield Limit("disk full", "disk_free_bytes", float(config.disk_floor_bytes), falls=True)
    yield Limit("inodes used up", "inodes_free_ratio", 0.0, falls=True)
    yield Limit("host memory used up", "host_memory_ratio", config.host_memory_ratio)


def _of_node(memory_bytes: int, now: NodeNow) -> Iterator[Limit]:
    slot = slot_of(now.node)
    yield Limit(f"memory limit of node {slot}", f"process_rss_bytes@{slot}", float(memory_bytes))
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Limit(f"descriptors of node {slot} used up", f"process_descriptors@{slot}", float(descriptors))
    for pool, size in _readings(now, POOL_SIZE):
        yield Limit(f"pool {pool} of node {slot} exhausted", f'{POOL_IN_USE}{{pool="{pool}"}}@{slot}', size)


def _readings(now: NodeNow, name: str) -> Iterator[tuple[str, float]]:
    for family in now.metrics:
        if family.name == name:
            yield from ((dict(reading.labels).get("pool", ""), reading.value) for reading in family.readings)
