"""Hints: what could be made cheaper, each with the figures that say so. A rule is a function in RULES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from trading_orchestrator.kernel.metrics import Family, Kind, Reading
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.quantile import upper_quantile

SLOW_S = 0.25
SLOW_QUERY_S = 0.1
SLOW_COMMIT_S = 0.05
LEAST_COUNT = 20
HOT_PROBE_RATIO = 0.05
OVERSIZE = 4.0
LONG_GC_S = 0.05


class Hint(msgspec.Struct, frozen=True):
    """`code` is the rule's; `evidence` are figures that were measured, `advice` what to try."""

    code: str
    subject: str
    evidence: str
    advice: str


@dataclass(frozen=True)
class Seen:
    """What the rules look at."""

    nodes: Sequence[NodeNow]
    report: HealthReport
    probe_interval_s: float


Rule = Callable[[Seen], Iterator[Hint]]


def slow_query(seen: Seen) -> Iterator[Hint]:
    """A route of the API whose slowest answers hurt. Live streams are watched for as long as somebody looks."""
    for node, family, reading in _readings(seen, "trading_api_answer_seconds"):
        route, p99_s, count = dict(reading.labels)["route"], _p99(family, reading), sum(reading.counts)
        if count >= LEAST_COUNT and p99_s > SLOW_S and "stream" not in route and "events" not in route:
            yield Hint(
                "hint.slow_query",
                route,
                f"p99 {p99_s:g} s over {count} answers of node {node}",
                "ask for fewer rows or buckets, or less often",
            )


def slow_database_query(seen: Seen) -> Iterator[Hint]:
    """A query of a database whose slowest runs keep a lane from all others."""
    for node, family, reading in _readings(seen, "trading_database_query_seconds"):
        labels, p99_s, count = dict(reading.labels), _p99(family, reading), sum(reading.counts)
        if count >= LEAST_COUNT and p99_s > SLOW_QUERY_S:
            yield Hint(
                "hint.slow_query",
                f"{labels['query']} on {labels['pool']}",
                f"p99 {p99_s:g} s over {count} runs on node {node}, {reading.value:.3g} s in all",
                "ask for fewer rows, seldomer, or by an index; while it runs, it keeps a lane",
            )


def slow_commit(seen: Seen) -> Iterator[Hint]:
    """A journal that takes long to become durable makes every order wait."""
    for node, family, reading in _readings(seen, "trading_journal_append_seconds"):
        p99_s, count = _p99(family, reading), sum(reading.counts)
        if count >= LEAST_COUNT and p99_s > SLOW_COMMIT_S:
            yield Hint(
                "hint.slow_commit",
                f"journal of node {node}",
                f"p99 {p99_s:g} s over {count} appends",
                "put the data directory on a disk that syncs faster, or move what else writes to it",
            )


def hot_probe(seen: Seen) -> Iterator[Hint]:
    """A probe that takes a large part of the time between two of its rounds."""
    for part in seen.report.parts:
        ratio = part.took_ms / 1000 / seen.probe_interval_s
        if ratio > HOT_PROBE_RATIO:
            yield Hint(
                "hint.hot_probe",
                part.name,
                f"took {part.took_ms:g} ms, {100 * ratio:.0f} % of the {seen.probe_interval_s:g} s between rounds",
                "make the probe cheaper, or raise perpetual_operations.health.interval_s",
            )


def oversize_pool(seen: Seen) -> Iterator[Hint]:
    """A pool much larger than the most that was ever in use at once. What opens no connections of its own is only a
    bound, such as that of a venue's session: an unused place costs nothing, and no setting changes it.
    """
    sizes = _of_pools(seen, "trading_pool_size")
    is_open = _of_pools(seen, "trading_pool_open")
    for node, _, reading in _readings(seen, "trading_pool_most_in_use"):
        pool, most = (node, _pool(reading)), reading.value
        size = sizes.get(pool, 0.0) if is_open.get(pool) else 0.0
        if size >= OVERSIZE * max(1.0, most) and size - most >= OVERSIZE:
            yield Hint(
                "hint.oversize_pool",
                _pool(reading),
                f"{size:.0f} connections on node {node}, at most {most:.0f} in use at once",
                f"{max(1, round(2 * most))} would do",
            )


def long_collection(seen: Seen) -> Iterator[Hint]:
    """Garbage that takes long to collect stops the loop, and orders with it."""
    for now in seen.nodes:
        if now.sample.gc_pause_s > LONG_GC_S:
            yield Hint(
                "hint.long_collection",
                f"node {now.node}",
                f"a collection of garbage stopped it for {1000 * now.sample.gc_pause_s:.0f} ms",
                "keep fewer objects in strategies: numbers in arrays, bounded histories",
            )


RULES: tuple[Rule, ...] = (slow_query, slow_database_query, slow_commit, hot_probe, oversize_pool, long_collection)


def hints(seen: Seen) -> Sequence[Hint]:
    """Return what every rule has to say."""
    return [hint for rule in RULES for hint in rule(seen)]


def _readings(seen: Seen, name: str) -> Iterator[tuple[str, Family, Reading]]:
    for now in seen.nodes:
        for family in now.metrics:
            if family.name == name:
                yield from ((now.node, family, reading) for reading in family.readings)


def _of_pools(seen: Seen, name: str) -> Mapping[tuple[str, str], float]:
    return {(node, _pool(reading)): reading.value for node, _, reading in _readings(seen, name)}


def _p99(family: Family, reading: Reading) -> float:
    return upper_quantile(family.bounds, reading.counts, 0.99) if family.kind is Kind.HISTOGRAM else reading.value


def _pool(reading: Reading) -> str:
    return dict(reading.labels).get("pool", "")
