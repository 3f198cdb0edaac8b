"""Forecasts: the moment a limit is reached, with a range that holds the truth, and silence where no trend is sure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import in_words
from trading_orchestrator.perpetual_operations.monitoring.analytics.forecast import (
    Forecast,
    TooFewSamples,
    forecast_exhaustion,
)

MINUTE_S, DAY_S = 60.0, 86_400.0
TRACES = 120
Samples = NDArray[np.float64]


def remembering(rng: np.random.Generator, count: int, memory: float) -> Samples:
    """Noise whose neighbours are alike, as memory and disks have it."""
    noise, held = np.empty(count), 0.0
    for at, fresh in enumerate(rng.normal(0, 1, count)):
        held = noise[at] = memory * held + fresh
    return noise


def grown(per_minute: float, noise: Samples) -> Samples:
    at = np.arange(len(noise))
    return np.column_stack([at * MINUTE_S, 100 + per_minute * at + noise])


def test_a_straight_line_is_continued_to_the_limit_from_either_side() -> None:
    rising = forecast_exhaustion(grown(1.0, np.zeros(100)), limit=1000.0, horizon_s=DAY_S)
    falling = forecast_exhaustion(grown(-0.5, np.zeros(100)), limit=20.0, horizon_s=DAY_S, falls=True)

    assert rising is not None
    assert falling is not None
    assert 801 * MINUTE_S == pytest.approx(rising.reaches_in_s) == pytest.approx(rising.latest_s)
    assert 61 * MINUTE_S == pytest.approx(falling.reaches_in_s) == pytest.approx(falling.earliest_s)


@pytest.mark.parametrize("per_minute", [-0.5, 0.5], ids=["falling", "rising"])
@pytest.mark.parametrize(("limit", "falls"), [(10.0, False), (500.0, True)], ids=["above a ceiling", "below a floor"])
def test_beyond_its_limit_it_is_reached_now_wherever_it_goes(per_minute: float, limit: float, falls: bool) -> None:
    found = forecast_exhaustion(grown(per_minute, np.zeros(60)), limit=limit, horizon_s=DAY_S, falls=falls)

    assert found is not None
    assert (0.0, 0.0, 0.0) == (found.reaches_in_s, found.earliest_s, found.latest_s)
    assert in_words("disk full", found).startswith("disk full now, at ")


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_the_range_holds_the_truth_in_nine_of_ten(memory: float) -> None:
    rng = np.random.default_rng(int(10 * memory) + 5)
    held = 0
    for _ in range(TRACES):
        found = forecast_exhaustion(grown(0.2, remembering(rng, 360, memory)), limit=300.0, horizon_s=10 * DAY_S)
        truth_s = (300.0 - 100) / 0.2 * MINUTE_S - 359 * MINUTE_S
        held += found is not None and found.earliest_s - 600 <= truth_s <= (found.latest_s or np.inf) + 600

    assert held >= 0.85 * TRACES


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_noise_without_a_trend_is_seldom_taken_for_one(memory: float) -> None:
    rng = np.random.default_rng(int(10 * memory) + 50)
    flat = [grown(0.0, remembering(rng, 360, memory)) for _ in range(TRACES)]

    false = sum(forecast_exhaustion(each, limit=200.0, horizon_s=14 * DAY_S) is not None for each in flat)

    assert false <= 0.1 * TRACES


def test_a_trend_away_from_the_limit_or_too_late_is_nobodys_business() -> None:
    assert forecast_exhaustion(grown(-1.0, np.zeros(50)), limit=1000.0, horizon_s=DAY_S) is None
    assert forecast_exhaustion(grown(0.001, np.zeros(50)), limit=1000.0, horizon_s=DAY_S) is None


@pytest.mark.parametrize("samples", [grown(1.0, np.zeros(7)), grown(1.0, np.zeros(20))[::-1]])
def test_too_little_or_unordered_is_refused(samples: Samples) -> None:
    with pytest.raises(TooFewSamples, match="expected at least 8 samples in rising time"):
        forecast_exhaustion(samples, limit=1.0, horizon_s=1.0)


def test_a_forecast_is_a_sentence() -> None:
    forecast = Forecast(5e9, 1e9, -5e9 / DAY_S, 0.8 * DAY_S, 0.7 * DAY_S, None)

    said = in_words("disk full", forecast)

    assert "disk full in 19.2 h (at the earliest 16.8 h, or not at all), at -2.083e+08 an hour" == said
