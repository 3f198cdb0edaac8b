"""Metrics are plain numbers under a name and few labels; a name never stands for two things."""

from __future__ import annotations

import pytest

from trading_orchestrator.kernel.metrics import Family, Kind, Meter, MetricTaken, Reading
from trading_orchestrator.perpetual_operations.monitoring.quantile import upper_quantile


def test_asking_twice_for_a_name_and_labels_gives_the_same_counter() -> None:
    meter = Meter()
    meter.counter("orders_total", "Orders", desk="a").add()
    meter.counter("orders_total", "Orders", desk="a").add(2)
    meter.counter("orders_total", "Orders", desk="b").add()

    readings = (Reading((("desk", "a"),), 3.0), Reading((("desk", "b"),), 1.0))
    assert [Family("orders_total", Kind.COUNTER, "Orders", readings)] == list(meter.read())


def test_a_histogram_counts_each_value_in_the_first_bucket_that_holds_it() -> None:
    meter = Meter()
    histogram = meter.histogram("took_seconds", "Time", bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)

    (family,) = meter.read()

    assert ((2, 1, 1), 7.65, (0.1, 1.0)) == (family.readings[0].counts, family.readings[0].value, family.bounds)


def test_what_is_watched_is_asked_at_each_reading_and_left_out_when_it_fails() -> None:
    meter, said = Meter(), [1.0, 2.0]
    meter.watch("age_seconds", "Age", said.pop, lease="console")
    meter.watch("age_seconds", "Age", lambda: 1 / 0, lease="broken")

    ages = [[reading.value for reading in meter.read()[0].readings] for _ in range(2)]
    meter.forget("age_seconds", lease="console")

    assert [[2.0], [1.0]] == ages
    assert () == meter.read()[0].readings


@pytest.mark.parametrize("labels", [{}, {"venue": "x"}, {"desk": "a", "call": "b"}])
def test_a_name_keeps_its_kind_and_its_labels(labels: dict[str, str]) -> None:
    meter = Meter()
    meter.counter("orders_total", "Orders", desk="a")

    with pytest.raises(MetricTaken, match="expected a counter with labels"):
        meter.counter("orders_total", "Orders", **labels)
    with pytest.raises(MetricTaken, match="was a gauge"):
        meter.gauge("orders_total", "Orders", desk="a")


@pytest.mark.parametrize(
    ("counts", "quantile"), [((0, 0, 0), 0.0), ((99, 1, 0), 0.1), ((98, 2, 0), 1.0), ((0, 0, 5), 1.0)]
)
def test_a_quantile_is_the_upper_bound_of_its_bucket(counts: tuple[int, ...], quantile: float) -> None:
    assert quantile == upper_quantile((0.1, 1.0), counts, 0.99)
