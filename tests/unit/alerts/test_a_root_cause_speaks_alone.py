"""While a part is broken, alerts about what stands on it are held back; others, and its own, are told."""

from __future__ import annotations

from typing import Any

from tests.unit.alerts.engine_bench import Event, ends, fires, told

GRAPH: dict[str, Any] = {
    "t": 0,
    "op": "graph",
    "depends_on": {"desk": ["feed"], "feed": ["net"], "a": ["b"], "b": ["a"]},
}
ROUTE = {"receiver": "r", "group_by": ["..."], "group_wait": 1, "group_interval": 2, "repeat_interval": 600}


def heard(*events: Event, root_cause: dict[str, Any] | None = None) -> list[tuple[float, str]]:
    found = told([GRAPH, *events], route=ROUTE, root_cause=root_cause or {})
    return [(at, alert) for at, _, alerts in found for alert in alerts]


def broken(t: float, part: str) -> Event:
    return fires(t, "Broken", part=part, severity="critical")


def slow(t: float, part: str) -> Event:
    return fires(t, "Slow", part=part)


def test_without_it_everything_is_told() -> None:
    assert 2 == len(told([GRAPH, broken(0, "net"), slow(0, "desk")], route=ROUTE))


def test_what_stands_on_the_broken_part_is_held_back_however_indirectly() -> None:
    found = heard(broken(0, "net"), slow(0, "desk"), slow(0, "feed"), broken(0, "feed"), slow(0, "other"))

    assert ["Broken net firing", "Slow other firing"] == sorted(alert for _, alert in found)


def test_other_alerts_of_the_broken_part_itself_are_told() -> None:
    assert ["Broken net firing", "Slow net firing"] == sorted(
        alert for _, alert in heard(broken(0, "net"), slow(0, "net"))
    )


def test_when_the_cause_is_over_what_still_fires_is_told() -> None:
    found = heard(broken(0, "net"), slow(0, "desk"), ends(10, "Broken", part="net", severity="critical"))

    assert [(1.0, "Broken net firing"), (11.0, "Broken net resolved"), (11.0, "Slow desk firing")] == sorted(found)


def test_an_alert_that_is_no_cause_holds_nothing_back() -> None:
    assert 2 == len(heard(slow(0, "net"), slow(0, "desk")))


def test_two_parts_that_stand_on_each_other_are_both_told() -> None:
    assert ["Broken a firing", "Broken b firing"] == sorted(alert for _, alert in heard(broken(0, "a"), broken(0, "b")))


def test_what_is_a_cause_can_be_said() -> None:
    causes = {"label": "part", "cause_matchers": ["alertname=Slow"]}

    assert ["Slow net firing"] == [alert for _, alert in heard(slow(0, "net"), broken(0, "desk"), root_cause=causes)]


def test_a_graph_survives_no_restart_but_the_next_start_gives_it_again() -> None:
    restart = {"t": 5, "op": "restart", "how": "KILL"}

    found = heard(broken(0, "net"), slow(6, "desk"), restart)

    assert ["Broken net firing"] == [alert for _, alert in found]
