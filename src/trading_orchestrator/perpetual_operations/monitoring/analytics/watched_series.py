"""Which series are watched for anomalies, and under which name a node's successor goes on with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from trading_orchestrator.kernel.metrics import Family, Kind
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import MetricTicks, values_of
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow

OF_HOST = (
    "host_cpu_ratio",
    "host_memory_ratio",
    "disk_free_bytes",
    "inodes_free_ratio",
    "disk_write_bytes_s",
    "net_received_bytes_s",
    "net_sent_bytes_s",
)
OF_NODE = (
    "process_cpu_ratio",
    "process_rss_bytes",
    "process_threads",
    "process_descriptors",
    "process_tasks",
    "gc_pause_s",
    "loop_lag_s",
)
OF_METRICS = ("trading_",)
WORST_COUNTS = ("lag", "pause", "_p99", "_age_", "_waiting", "unknown")


class Watched(msgspec.Struct, frozen=True):
    """A series as it is watched: `key` outlives a node's process, `series` is its name in the history."""

    key: str
    series: str
    value: float
    is_counter: bool = False


def slot_of(node: str) -> str:
    """Return the part of a node's name that its successor has as well: `a` of `a-8pr36c04`."""
    return node.rpartition("-")[0] or node


def takes_worst(name: str) -> bool:
    """Return whether a minute is judged by its highest value; its mean would hide a second's trouble."""
    return any(word in name for word in WORST_COUNTS)


class Watching:
    """Reads the watched values of all nodes. One thread at a time."""

    def __init__(self) -> None:
        self._ticks: dict[str, MetricTicks] = {}

    def read(self, nodes: Sequence[NodeNow]) -> Iterator[Watched]:
        """Yield every watched value, of the host once."""
        self._ticks = {now.node: self._ticks.get(now.node, MetricTicks()) for now in nodes}  # the dead are forgotten
        for number, now in enumerate(nodes):
            slot, measured = slot_of(now.node), values_of(now.sample)
            if number == 0:
                yield from (Watched(name, name, measured[name]) for name in OF_HOST)
            yield from (Watched(f"{name}@{slot}", f"{name}@{now.node}", measured[name]) for name in OF_NODE)
            yield from self._of_metrics(now, slot)

    def _of_metrics(self, now: NodeNow, slot: str) -> Iterator[Watched]:
        ticks = self._ticks[now.node]
        counters = _counters(now.metrics)
        values: Mapping[str, float] = ticks.values_of(now.metrics)
        for name, value in values.items():
            if name.startswith(OF_METRICS) and "lease_age" not in name:
                plain = name.partition("{")[0]
                yield Watched(f"{name}@{slot}", f"{name}@{now.node}", value, plain in counters)


def _counters(families: Sequence[Family]) -> frozenset[str]:
    plain = {family.name for family in families if family.kind is Kind.COUNTER}
    return frozenset(plain | {f"{family.name}_count" for family in families if family.kind is Kind.HISTOGRAM})
