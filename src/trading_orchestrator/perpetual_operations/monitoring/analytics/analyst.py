"""Analyst: watches every series of every node for anomalies, and tells what runs out when."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.monitoring.analytics.anomaly_detector import (
    AnomalyDetector,
    Tuning,
    Verdict,
)
from trading_orchestrator.perpetual_operations.monitoring.analytics.config import AnalyticsConfig
from trading_orchestrator.perpetual_operations.monitoring.analytics.forecast import (
    LEAST,
    Forecast,
    forecast_exhaustion,
)
from trading_orchestrator.perpetual_operations.monitoring.analytics.minute import Minute
from trading_orchestrator.perpetual_operations.monitoring.analytics.shown_series import ANOMALY_SCORE, EXHAUSTION
from trading_orchestrator.perpetual_operations.monitoring.analytics.watched_series import (
    OF_HOST,
    OF_NODE,
    Watching,
    slot_of,
    takes_worst,
)
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Range
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow

log = logging.getLogger(__name__)
MINUTE_NS = 60_000_000_000
LOOK_EVERY_S = 5.0
STILL_LOOKS = 12
MOST_ANOMALIES = 200
MOST_MINUTES = 1440


class Anomaly(msgspec.Struct, frozen=True):
    """A series did what it never does, from `at_ns` on. `score` in [0.5, 1]; `usual`: its median of the last hours."""

    at_ns: int
    series: str
    value: float
    usual: float
    score: float
    side: str
    sentence: str


class Exhaustion(msgspec.Struct, frozen=True):
    """Something runs out; `sentence` says when, in words."""

    resource: str
    at_ns: int
    forecast: Forecast
    sentence: str


class Limit(msgspec.Struct, frozen=True):
    """What a series must not reach. `key` as in `Watched`, or of `more` series that somebody gives.

    falls: it must not fall that low; else it must not rise that high.
    """

    resource: str
    key: str
    limit: float
    falls: bool = False


class _Line:
    """One series: its minute, its detector, and its last day by the minute."""

    def __init__(self, tuning: Tuning) -> None:
        self.minute = Minute()
        self.detector = AnomalyDetector(tuning)
        self.kept: deque[tuple[float, float]] = deque(maxlen=MOST_MINUTES)

    def close_minute(self, key: str, at_s: float) -> tuple[Verdict, float] | None:
        value = self.minute.take(key)
        if value is None:
            return None
        self.kept.append((at_s, value))
        return self.detector.feed(at_s, value), value

    def usual(self) -> float:
        return float(np.median([value for _, value in self.kept])) if self.kept else 0.0


class Analyst:
    """A component; runs where the console is, and begins with what the history holds of the last days.

    Args:
        nodes_now: the living nodes of this host, our own first; blocking.
        limits: what runs out, asked each minute on the analysing thread.

    Concurrency: the work is done on a thread of its own, 0.02 % of a core; answers are whole tuples, read anywhere.
    """

    name = "analytics"
    depends_on: Sequence[str] = ("system_monitor",)

    def __init__(
        self,
        config: AnalyticsConfig,
        *,
        clock: Clock,
        nodes_now: Callable[[], Sequence[NodeNow]],
        limits: Callable[[Sequence[NodeNow]], Sequence[Limit]] = lambda nodes: (),
        history: MetricsHistory | None = None,
        meter: Meter | None = None,
        told: Callable[[Anomaly], None] = lambda anomaly: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._nodes_now = nodes_now
        self._limits = limits
        self._history = history
        self._meter = meter
        self._told = told
        self._tuning = Tuning(bar=config.bar)
        self._watching = Watching()
        self._lines: dict[str, _Line] = {}
        self._minute = 0
        self._paused = False
        self._primed = False
        self._seen_ns: int | None = None
        self.anomalies: tuple[Anomaly, ...] = ()
        self.exhaustions: tuple[Exhaustion, ...] = ()

    def health(self) -> Health:
        if self._paused:
            return Health(HealthState.HEALTHY, "waits while load is shed")
        if self._seen_ns is None:
            return Health(HealthState.STARTING, "not looked yet")
        age_s = (self._clock.monotonic_ns() - self._seen_ns) / 1e9
        if age_s > STILL_LOOKS * LOOK_EVERY_S:
            return Health(HealthState.UNHEALTHY, f"nothing was looked at for {age_s:.0f} s")
        return Health(HealthState.HEALTHY, f"{len(self._lines)} series watched")

    def pause(self) -> None:
        """Judge nothing until `resume`, to spare a host under pressure: what is missed is not made up for."""
        self._paused = True

    def resume(self) -> None:
        """Judge again."""
        self._paused = False
        if self._seen_ns is not None:
            self._seen_ns = self._clock.monotonic_ns()

    def minutes_of(self, key: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Return times (Unix seconds) and values of a watched series, a row a minute, of the last day at most."""
        line = self._lines.get(key)
        return np.array(list(line.kept) if line else [], dtype=np.float64).reshape(-1, 2)

    async def run(self) -> None:
        """Look every five seconds until cancelled; each minute is judged when it is over."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="analytics")
        try:
            if not self._primed and self._history is not None:
                await self._prime(self._history, loop, thread)
            self._primed = True
            while True:
                if not self._paused:
                    for anomaly in await loop.run_in_executor(thread, self.look, self._clock.wall_ns()):
                        log.info("%s", anomaly.sentence)
                        self._told(anomaly)
                await self._clock.sleep(LOOK_EVERY_S)
        finally:
            thread.shutdown(wait=False)

    def look(self, now_ns: int) -> Sequence[Anomaly]:
        """Take one value of every series; at the end of a minute return its anomalies. Blocking: reads small files."""
        nodes = self._nodes_now()
        minute = now_ns // MINUTE_NS
        new: list[Anomaly] = []
        if self._minute and minute != self._minute:
            new = [found for key, line in self._lines.items() if (found := self._judged(key, line)) is not None]
            self.anomalies = (*self.anomalies, *new)[-MOST_ANOMALIES:]
            self.exhaustions = tuple(self._exhaustions(nodes, now_ns))
            self._show(new)
        self._minute = minute
        for watched in self._watching.read(nodes):
            self._line(watched.key).minute.add(watched, now_ns / 1e9)
        self._seen_ns = self._clock.monotonic_ns()
        return new

    def _judged(self, key: str, line: _Line) -> Anomaly | None:
        at_ns = self._minute * MINUTE_NS
        usual = line.usual()
        closed = line.close_minute(key, at_ns / 1e9)
        if closed is None or not closed[0].is_anomaly:
            return None
        verdict, value = closed
        sentence = f"{key} is unusual ({verdict.side}): {value:.6g}, usually about {usual:.6g}"
        return Anomaly(at_ns, key, value, usual, round(verdict.score, 3), verdict.side, sentence)

    def _exhaustions(self, nodes: Sequence[NodeNow], now_ns: int) -> Sequence[Exhaustion]:
        found = []
        for limit in self._limits(nodes):
            minutes = self.minutes_of(limit.key)[-self._config.trend_minutes :]
            if len(minutes) < LEAST:
                continue
            horizon_s = self._config.horizon_days * 86_400
            forecast = forecast_exhaustion(minutes, limit=limit.limit, horizon_s=horizon_s, falls=limit.falls)
            if forecast is not None:
                found.append(Exhaustion(limit.resource, now_ns, forecast, in_words(limit.resource, forecast)))
        return sorted(found, key=lambda each: each.forecast.reaches_in_s)

    def _show(self, new: Sequence[Anomaly]) -> None:
        if self._meter is None:
            return
        self._meter.counter("trading_anomalies_total", "Anomalies told").add(len(new))
        scores = {each.series: each.score for each in new}
        _show_only(self._meter, ANOMALY_SCORE, "How unusual a series is now", "metric", scores)
        left_s = {each.resource: each.forecast.reaches_in_s for each in self.exhaustions}
        _show_only(self._meter, EXHAUSTION, "Until the resource is used up, by its trend", "resource", left_s)

    async def _prime(
        self, history: MetricsHistory, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor
    ) -> None:
        """Learn the last days; counters are left to the present, for their processes are gone."""
        end_ns = self._clock.wall_ns() // MINUTE_NS * MINUTE_NS
        start_ns = end_ns - int(self._config.learn_days * 86_400) * 1_000_000_000
        points = max(1, (end_ns - start_ns) // MINUTE_NS)
        try:
            lines = [line for line in await history.series() if line.last_ns >= start_ns]
            names = sorted({(line.name, slot_of(line.node), line.series) for line in lines})
            wanted = {key: series for key, series in _wanted(names).items() if series}
            for key, series in wanted.items():
                ranges = [await history.range(each, start_ns, end_ns, points) for each in series]
                await loop.run_in_executor(thread, self._learn, key, ranges)
        except OrchestratorError as error:
            log.warning("analytics begins without the past: %s", error.message)

    def _learn(self, key: str, ranges: Sequence[Range]) -> None:
        line = self._line(key)
        by_minute: dict[int, float] = {}
        for each in ranges:
            values = each.max if takes_worst(key) else each.mean
            by_minute.update(zip(each.at_ns, values, strict=True))
        for at_ns, value in sorted(by_minute.items()):
            line.detector.feed(at_ns / 1e9, value)
            line.kept.append((at_ns / 1e9, value))

    def _line(self, key: str) -> _Line:
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(self._tuning)
        return line


def _show_only(meter: Meter, name: str, described: str, label: str, values: Mapping[str, float]) -> None:
    """Show these values and no others: what is not unusual any more has no score."""
    shown = [family for family in meter.read() if family.name == name]
    for reading in (reading for family in shown for reading in family.readings):
        if dict(reading.labels)[label] not in values:
            meter.forget(name, **dict(reading.labels))
    for key, value in values.items():
        meter.gauge(name, described, **{label: key}).set(value)


def _wanted(names: Sequence[tuple[str, str, str]]) -> Mapping[str, Sequence[str]]:
    """Return the history's series to learn from, by key: those of every process that had the slot."""
    wanted: dict[str, list[str]] = {name: [name] for name in OF_HOST}
    for name, slot, series in names:
        if name in OF_NODE or (("_p99" in name or "_waiting" in name or "_age_" in name) and "lease" not in name):
            wanted.setdefault(f"{name}@{slot}", []).append(series)
    return wanted


def in_words(resource: str, forecast: Forecast) -> str:
    """Return the forecast as a sentence."""
    if forecast.reaches_in_s == 0:
        return f"{resource} now, at {forecast.slope_s * 3600:+.4g} an hour"
    latest = "or not at all" if forecast.latest_s is None else f"at the latest {_spoken(forecast.latest_s)}"
    return (
        f"{resource} in {_spoken(forecast.reaches_in_s)} "
        f"(at the earliest {_spoken(forecast.earliest_s)}, {latest}), at {forecast.slope_s * 3600:+.4g} an hour"
    )


def _spoken(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
