"""Prometheus's view of every node of the host, in one registry; read when asked, off the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import Family, Kind, Meter, Reading
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.health.of_all_nodes import answered
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
ANSWER_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
OF_HOST = (
    ("host_cpu_ratio", "trading_host_cpu_ratio", "CPU of the host in use, 1 = all cores"),
    ("host_load_1m", "trading_host_load_1m", "Load average over one minute"),
    ("host_memory_ratio", "trading_host_memory_used_ratio", "Memory of the host in use"),
    ("host_memory_available_bytes", "trading_host_memory_available_bytes", "Memory that can be had without swapping"),
    ("swap_used_bytes", "trading_host_swap_used_bytes", "Swap in use"),
    ("disk_used_ratio", "trading_disk_used_ratio", "Use of the disk that holds the data directory"),
    ("disk_free_bytes", "trading_disk_free_bytes", "Free bytes on the disk that holds the data directory"),
    ("inodes_free_ratio", "trading_disk_inodes_free_ratio", "Free inodes on the disk that holds the data directory"),
    ("disk_read_bytes_s", "trading_disk_read_bytes_per_second", "Read from all disks"),
    ("disk_write_bytes_s", "trading_disk_written_bytes_per_second", "Written to all disks"),
    ("net_received_bytes_s", "trading_network_received_bytes_per_second", "Received over all interfaces"),
    ("net_sent_bytes_s", "trading_network_sent_bytes_per_second", "Sent over all interfaces"),
    ("clock_step_s", "trading_clock_step_seconds", "Step of the wall clock against the time since boot"),
    ("clock_offset_s", "trading_clock_offset_seconds", "What the kernel still has to correct"),
)
OF_NODE = (
    ("process_cpu_ratio", "trading_process_cpu_ratio", "CPU of the process, 1 = one core"),
    ("process_rss_bytes", "trading_process_resident_bytes", "Resident memory of the process"),
    ("process_uss_bytes", "trading_process_unique_bytes", "Memory that ends with the process, once a minute"),
    ("process_threads", "trading_process_threads", "Threads of the process"),
    ("process_descriptors", "trading_process_open_descriptors", "Open descriptors of the process"),
    ("process_tasks", "trading_process_tasks", "Tasks on the event loop"),
    ("gc_collections", "trading_gc_collections_total", "Collections of garbage"),
    ("gc_pause_s", "trading_gc_pause_seconds", "Longest collection of garbage in the last second"),
    ("loop_lag_s", "trading_loop_lag_seconds", "Longest lateness of the event loop in the last second"),
)


@dataclass(frozen=True)
class Readings:
    """Where the metrics come from: each is called on the exposing thread.

    nodes: every living node of this host, the answering one first; may read small files.
    report: the newest health report of the answering node; those of the others come with `nodes`.
    """

    nodes: Callable[[], Sequence[NodeNow]]
    report: Callable[[], HealthReport]
    pos: Callable[[], int]


class Metrics:
    """`expose` runs on any thread; `count_answer` on the loop."""

    def __init__(self, readings: Readings, meter: Meter) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Now(readings))
        self._meter = meter

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer of the API."""
        self._meter.counter(
            "trading_api_answers_total", "Answers of the API", method=method, route=route, status=str(status)
        ).add()
        self._meter.histogram(
            "trading_api_answer_seconds",
            "Time to answer (live streams: how long they were watched)",
            bounds=ANSWER_BUCKETS_S,
            route=route,
        ).observe(seconds)

    def expose(self) -> bytes:
        """Return everything in Prometheus's text format; 10 k series take 120 ms, so keep it off the loop."""
        return generate_latest(self._registry)


class _Now(Collector):
    """Translates what the nodes measured last, at the moment of exposition."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        nodes = self._readings.nodes()
        yield from _of_host(nodes[0].sample if nodes else None)
        yield from _of_nodes(nodes)
        yield from _of_meters(nodes)
        report = self._readings.report()
        others = [now.health for now in nodes if now.health is not None and now.health.node != report.node]
        yield from _of_health([report, *others])
        yield GaugeMetricFamily("trading_journal_pos", "Newest position of the journal", value=self._readings.pos())


def _of_host(sample: Sample | None) -> Iterator[Metric]:
    for field, name, described in OF_HOST:
        value = getattr(sample, field, None)
        if value is not None:
            yield GaugeMetricFamily(name, described, value=value)


def _of_nodes(nodes: Sequence[NodeNow]) -> Iterator[Metric]:
    for field, name, described in OF_NODE:
        is_counter = name.endswith("_total")
        kind = CounterMetricFamily if is_counter else GaugeMetricFamily
        family = kind(name.removesuffix("_total"), described, labels=("node",))
        for node in nodes:
            family.add_metric((node.node,), getattr(node.sample, field))
        yield family


def _of_meters(nodes: Sequence[NodeNow]) -> Iterator[Metric]:
    """One family per name, with the readings of all nodes; a node of another release may know other names."""
    families: dict[str, Metric] = {}
    for node in nodes:
        for family in node.metrics:
            if family.readings:
                held = families.setdefault(family.name, _empty(family))
                for reading in family.readings:
                    _add(held, family, reading, node.node)
    yield from families.values()


def _empty(family: Family) -> Metric:
    labels = (*(key for key, _ in family.readings[0].labels), "node")
    if family.kind is Kind.HISTOGRAM:
        return HistogramMetricFamily(family.name, family.described, labels=labels)
    if family.kind is Kind.COUNTER:
        return CounterMetricFamily(family.name.removesuffix("_total"), family.described, labels=labels)
    return GaugeMetricFamily(family.name, family.described, labels=labels)


def _add(held: Metric, family: Family, reading: Reading, node: str) -> None:
    values = (*(value for _, value in reading.labels), node)
    if isinstance(held, HistogramMetricFamily):
        bounds = (*(str(bound) for bound in family.bounds), "+Inf")
        held.add_metric(values, list(zip(bounds, accumulate(reading.counts), strict=True)), reading.value)
    elif isinstance(held, CounterMetricFamily | GaugeMetricFamily):
        held.add_metric(values, reading.value)


def _of_health(reports: Sequence[HealthReport]) -> Iterator[Metric]:
    """Each part by the nodes that answer for it: one that stands by says nothing about a desk, or a venue."""
    labels = ("part", "node")
    healthy = GaugeMetricFamily("trading_health_up", "1 while the part is healthy or degraded", labels=labels)
    took = GaugeMetricFamily("trading_health_probe_seconds", "Time the probe took to answer", labels=labels)
    for report, part in answered(reports):
        up = part.state in (HealthState.HEALTHY, HealthState.DEGRADED, HealthState.STARTING)
        healthy.add_metric((part.name, report.node), float(up))
        took.add_metric((part.name, report.node), part.took_ms / 1000)
    yield healthy
    yield took
