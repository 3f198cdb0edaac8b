"""Prometheus metrics of this process, in a registry of their own; read when asked, off the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
ANSWER_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
_OF_SAMPLE = (
    ("host_cpu_ratio", "trading_host_cpu_ratio", "CPU of the host in use, 1 = all cores"),
    ("host_load_1m", "trading_host_load_1m", "Load average over one minute"),
    ("host_memory_ratio", "trading_host_memory_used_ratio", "Memory of the host in use"),
    ("host_memory_available_bytes", "trading_host_memory_available_bytes", "Memory that can be had without swapping"),
    ("disk_used_ratio", "trading_disk_used_ratio", "Use of the disk that holds the data directory"),
    ("disk_free_bytes", "trading_disk_free_bytes", "Free bytes on the disk that holds the data directory"),
    ("process_cpu_ratio", "trading_process_cpu_ratio", "CPU of this process, 1 = one core"),
    ("process_rss_bytes", "trading_process_resident_bytes", "Resident memory of this process"),
    ("process_uss_bytes", "trading_process_unique_bytes", "Memory that ends with this process, once a minute"),
    ("process_threads", "trading_process_threads", "Threads of this process"),
    ("process_descriptors", "trading_process_open_descriptors", "Open descriptors of this process"),
    ("loop_lag_s", "trading_loop_lag_seconds", "Longest lateness of the event loop in the last second"),
)


@dataclass(frozen=True)
class Readings:
    """Where the metrics come from: each is called on the exposing thread and returns what is known, without I/O."""

    sample: Callable[[], Sample | None]
    report: Callable[[], HealthReport]
    pos: Callable[[], int]


class Metrics:
    """`expose` runs on any thread; `count_answer` on the loop."""

    def __init__(self, readings: Readings) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Now(readings))
        self._answers = Counter(
            "trading_api_answers", "Answers of the API", ("method", "route", "status"), registry=self._registry
        )
        self._answer_s = Histogram(
            "trading_api_answer_seconds",
            "Time to answer (live streams: how long they were watched)",
            ("route",),
            buckets=ANSWER_BUCKETS_S,
            registry=self._registry,
        )

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer of the API."""
        self._answers.labels(method, route, str(status)).inc()
        self._answer_s.labels(route).observe(seconds)

    def expose(self) -> bytes:
        """Return everything in Prometheus's text format; 10 k series take 120 ms, so keep it off the loop."""
        return generate_latest(self._registry)


class _Now(Collector):
    """Reads the newest sample and report at the moment of exposition, so that nothing is set each second."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        yield from _of_sample(self._readings.sample())
        yield from _of_health(self._readings.report())
        yield GaugeMetricFamily("trading_journal_pos", "Newest position of the journal", value=self._readings.pos())


def _of_sample(sample: Sample | None) -> Iterator[Metric]:
    if sample is not None:
        for field, name, described in _OF_SAMPLE:
            yield GaugeMetricFamily(name, described, value=getattr(sample, field))


def _of_health(report: HealthReport) -> Iterator[Metric]:
    healthy = GaugeMetricFamily("trading_health_up", "1 while the part is healthy or degraded", labels=("part",))
    took = GaugeMetricFamily("trading_health_probe_seconds", "Time the probe took to answer", labels=("part",))
    for part in report.parts:
        up = part.state in (HealthState.HEALTHY, HealthState.DEGRADED, HealthState.STARTING)
        healthy.add_metric((part.name,), float(up))
        took.add_metric((part.name,), part.took_ms / 1000)
    yield healthy
    yield took
