"""Memory that only grows is suspected long before the limit; two days of healthy noise are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.monitoring.traces import (
    AT_S,
    HOUR_S,
    KINDS,
    MB,
    Rng,
    Trace,
    first_suspicion,
    floors_of,
    measured,
    random_walk,
)
from trading_orchestrator.perpetual_operations.monitoring.leaks.agreement import Agreement
from trading_orchestrator.perpetual_operations.monitoring.leaks.floors import Floors

TRACES = 60


def test_the_floors_of_a_trace_are_those_that_the_detector_keeps() -> None:
    """The traces below are looked at all at once, or they would take minutes."""
    trace = measured(np.random.default_rng(22), random_walk(np.random.default_rng(23)))[:1000]
    floors, kept = Floors(5.0, 10_000), []
    for at_s, value in enumerate(trace.tolist()):
        if floors.add(float(at_s), value):
            kept.append(at_s)

    found, at = floors_of(trace, 5.0)

    assert floors.values == tuple(found.tolist())
    assert kept == at.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_two_days_of_healthy_noise_raise_no_suspicion_in_sixty_traces_but_one(kind: Callable[[Rng], Trace]) -> None:
    rng = np.random.default_rng(20)
    traces = [measured(rng, kind(rng)) for _ in range(TRACES)]

    suspected = [found for trace in traces if (found := first_suspicion(trace, limit_bytes=1000 * MB)) is not None]

    assert len(suspected) <= 1  # a page needs one of these first, and tracing that confirms it


@pytest.mark.parametrize("window_s", [60.0, 900.0])
def test_signals_that_only_wander_agree_with_nothing(window_s: float) -> None:
    rng = np.random.default_rng(24)
    wrong = 0
    for _ in range(TRACES):
        agreement = Agreement(window_s)
        for at_s, value in enumerate(rng.normal(100, 5, int(window_s) + 10).tolist()):
            agreement.note(float(at_s), {"wanders": value, "stands": 30.0})
        wrong += len(agreement.rising)

    assert wrong <= 1


def test_signals_that_rise_with_it_agree() -> None:
    agreement = Agreement(60.0)
    for at_s in range(70):
        agreement.note(float(at_s), {"rises": at_s // 3, "falls": -at_s})

    assert ("rises",) == agreement.rising


@pytest.mark.parametrize(
    ("leaks_mb_h", "limit_mb", "within_h"), [(1800.0, 1000.0, 0.3), (60.0, 800.0, 4.1), (3.0, 300.0, 27.0)]
)
def test_a_leak_under_sawtooth_and_noise_is_suspected_long_before_the_limit(
    leaks_mb_h: float, limit_mb: float, within_h: float
) -> None:
    rng = np.random.default_rng(21)
    sawtooth = 10 * MB * (AT_S % 600) / 600
    trace = measured(rng, 100 * MB + leaks_mb_h * MB * AT_S / HOUR_S + sawtooth)

    found = first_suspicion(trace, limit_bytes=limit_mb * MB)

    assert found is not None
    at_s, suspicion = found
    assert at_s <= within_h * HOUR_S
    assert leaks_mb_h * MB / HOUR_S == pytest.approx(suspicion.slope_bytes_s, rel=0.15)
    truth_s = (limit_mb - 100) / leaks_mb_h * HOUR_S - at_s
    assert truth_s == pytest.approx(suspicion.limit_in_s, rel=0.25)
