"""An alert that comes and goes is told once, and its end when it has been quiet; two thresholds say when."""

from __future__ import annotations

import msgspec
import pytest

from tests.conformance.alert_timeline_driver import START_NS
from tests.unit.alerts.engine_bench import Event, ends, fires, timeline, told
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.flapping import FlappingConfig, FlappingRefused
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of

FLAPPING = {"starts_at": 3, "ends_at": 1, "within": 60}


def toggles(times: int, every: float = 6.0) -> list[Event]:
    """It fires at 0, 6, 12, … and ends 3 s after each."""
    return [event for n in range(times) for event in (fires(n * every), ends(n * every + 3))]


def test_without_detection_every_change_is_told() -> None:
    assert 12 == len(told(toggles(6)))


def test_a_flapping_alert_fires_until_it_has_been_calm() -> None:
    # the third begin at 12 makes it flap; begins at 0, 6, … 30: at 84 only the last one is within 60 s
    messages = told(toggles(6), flapping=FLAPPING)

    assert ["firing", "resolved"] * 2 + ["firing", "resolved"] == [status for _, status, _ in messages]
    assert [13.0, 85.0] == [at for at, _, _ in messages][-2:]


def test_its_text_says_so() -> None:
    line = timeline(toggles(6), flapping=FLAPPING, horizon=40)
    line.play()

    (alert,) = line.engine.state.alerts.values()
    assert "began 6 times within 60 s; told once until it is calm" == alert.annotations["flapping"]


def test_a_restart_does_not_make_it_flap_anew() -> None:
    events = sorted([*toggles(6), {"t": 20, "op": "restart", "how": "KILL"}], key=lambda event: event["t"])

    plain, restarted = told(toggles(6), flapping=FLAPPING), told(events, flapping=FLAPPING)
    assert [what for _, *what in plain] == [what for _, *what in restarted]


def test_one_that_stops_flapping_while_it_fires_goes_on_firing() -> None:
    messages = told([*toggles(5), fires(40), ends(150)], flapping=FLAPPING, horizon=200)

    # at 150 only the begin at 40 is left, and that is 110 s ago: its end is told at once
    assert [(13.0, "firing"), (151.0, "resolved")] == [(at, status) for at, status, _ in messages[-2:]]


def test_a_person_ends_it_at_once_and_its_flapping_is_forgotten() -> None:
    line = timeline(toggles(6), flapping=FLAPPING, horizon=40)
    line.play()
    now_ns = START_NS + 40_000_000_000
    (alert,) = line.engine.state.alerts.values()
    assert line.engine.state.flaps[alert.fingerprint].is_flapping

    facts = line.engine.end(alert, now_ns)
    over = line.engine.alert(alert.fingerprint)
    assert over is not None
    assert over.is_resolved(now_ns)
    assert not line.engine.state.flaps[alert.fingerprint].is_flapping
    line.stored += [(body.kind, msgspec.json.encode(body)) for body in facts]
    assert line.engine.state == line.refolded()
    line.case = {**line.case, "events": [], "horizon": 60}
    assert "resolved" == line.play()[-1]["status"]


def test_another_alert_is_not_concerned() -> None:
    messages = told([*toggles(6), fires(31, host="b"), ends(33, host="b")], flapping=FLAPPING)

    assert [(32.0, "firing"), (34.0, "resolved")] == [(at, status) for at, status, what in messages if " b " in what[0]]


def test_thresholds_that_make_no_sense_are_refused() -> None:
    config = AlertingConfig(
        route=RouteConfig(receiver="r"),
        receivers={"r": ReceiverConfig()},
        flapping=FlappingConfig(starts_at=3, ends_at=3),
    )

    with pytest.raises(FlappingRefused, match="expected ends_at below starts_at 3, was 3"):
        policy_of(config)
