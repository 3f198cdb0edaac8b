"""Whoever heard that an alert fires, or may have, hears its end, also where a channel beside it is away for good."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.alerts.engine_bench import ROUTE
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.snapshot import snapshot_of, state_of
from trading_orchestrator.perpetual_operations.alerts.state import folded

S = 1_000_000_000
TAKEN, AWAY = f.Answer("a", "200", is_taken=True), f.Answer("b", "away", is_taken=False)
LOST = f.Answer("b", "no answer", is_taken=False, is_unknown=True)
CONFIG = {
    "route": {**ROUTE, "group_by": ["alertname"], "repeat_interval": 60},
    "receivers": {"r": {}},
    "end_always_told": True,
}
SILENCE = {"silence_id": "s", "matchers": ("alertname=Down",), "created_by": "ann", "comment": "quiet"}


class Desk:
    """An engine whose receiver always answers the same; `sent` is what each new message said, and when."""

    def __init__(self, *answers: f.Answer, **config: object) -> None:
        self.policy = policy_of(msgspec.convert({**CONFIG, **config}, AlertingConfig))
        self.answers = answers
        self.engine = Engine(self.policy)
        self.facts: list[f.Body] = list(self.engine.start(0))
        self.now_s = 0
        self.sent: dict[str, tuple[int, str]] = {}

    def post(self, host: str, *, ends: bool = False) -> None:
        posted = Posted(labels={"alertname": "Down", "host": host}, ends_at_ns=self.now_s * S if ends else None)
        alert = admitted(posted, self.now_s * S, 10_000 * S)
        self.facts += self.engine.receive([alert], self.now_s * S)

    def silence(self, until_s: int) -> None:
        silence = Silence(starts_at_ns=self.now_s * S, ends_at_ns=until_s * S, **SILENCE)  # type: ignore[arg-type]
        self.facts += self.engine.set_silence(silence, self.now_s * S)

    def until(self, second: int) -> None:
        """Let seconds pass; each message is tried whenever it is due."""
        while self.now_s < second:
            self.now_s += 1
            now_ns = self.now_s * S
            self.facts += self.engine.advance(now_ns)
            for one in self.engine.due_sends(now_ns):
                name, message = one.message.notification_id, one.message
                hosts = " ".join(f"{a.labels['host']}:{a.status}" for a in message.alerts)
                self.sent.setdefault(name, (self.now_s, hosts))
                if self.answers:
                    self.facts += self.engine.failed(name, now_ns, answers=self.answers)
                else:
                    self.facts += self.engine.delivered(name, now_ns)

    def restart(self) -> None:
        state = folded(self.facts)
        assert state == self.engine.state
        assert state == state_of(msgspec.json.encode(snapshot_of(state)))
        self.engine = Engine(self.policy, state)
        self.facts += self.engine.start(self.now_s * S)

    def said(self) -> list[tuple[int, str]]:
        return list(self.sent.values())


def test_a_channel_that_is_away_holds_up_neither_repetitions_nor_ends_of_the_one_beside_it() -> None:
    desk = Desk(TAKEN, AWAY)
    desk.post("x")
    desk.until(150)
    desk.post("x", ends=True)
    desk.until(400)

    assert [(1, "x:firing"), (61, "x:firing"), (121, "x:firing"), (151, "x:resolved")] == desk.said()


def test_an_end_follows_a_beginning_of_which_nobody_knows_whether_it_arrived() -> None:
    desk = Desk(LOST)
    desk.post("x")
    desk.until(30)
    desk.post("x", ends=True)
    desk.until(300)

    assert [(1, "x:firing"), (31, "x:resolved")] == desk.said()


def test_what_certainly_did_not_arrive_needs_no_end() -> None:
    desk = Desk(AWAY)
    desk.post("x")
    desk.until(30)
    desk.post("x", ends=True)
    desk.until(300)

    assert [(1, "x:firing")] == desk.said()
    assert "it is out of date" in [one.reason for one in desk.facts if isinstance(one, f.NotificationDropped)]


def test_bytes_that_are_on_their_way_at_the_deadline_may_arrive() -> None:
    desk = Desk(AWAY)
    desk.engine.is_out = lambda name: True
    desk.post("x")
    desk.until(5)
    desk.post("x", ends=True)
    desk.until(60)

    assert ["x:firing", "x:resolved"] == [what for _, what in desk.said()]


def test_what_was_being_sent_when_its_process_died_may_have_arrived() -> None:
    desk = Desk(AWAY)
    desk.post("x")
    desk.until(3)
    desk.restart()
    desk.post("x", ends=True)
    desk.until(60)

    assert ["x:firing", "x:resolved"] == [what for _, what in desk.said()]


@pytest.mark.parametrize("answers", [(TAKEN, AWAY), (LOST,)])
def test_a_silence_does_not_swallow_an_end_that_may_be_owed(answers: tuple[f.Answer, ...]) -> None:
    desk = Desk(*answers)
    desk.post("x")
    desk.until(5)
    desk.silence(500)
    desk.until(30)
    desk.post("x", ends=True)
    desk.until(200)

    assert ["x:firing", "x:resolved"] == [what for _, what in desk.said()]


def test_doubt_outlives_a_restart_and_ends_with_a_delivery() -> None:
    desk = Desk(LOST)
    desk.post("x")
    desk.until(5)
    desk.post("y")
    desk.until(15)
    desk.restart()
    desk.answers = ()
    desk.until(40)
    desk.post("x", ends=True)
    desk.until(50)

    assert ["x:firing", "x:firing y:firing", "x:resolved y:firing"] == [what for _, what in desk.said()]
    assert [False] == [told.is_doubtful for told in desk.engine.state.told.values()]


def test_what_a_receiver_may_know_and_then_refuses_is_told_again_and_ended() -> None:
    desk = Desk(LOST)
    desk.post("x")
    desk.until(1)
    (name,) = desk.engine.state.outbox
    desk.facts += desk.engine.refused(name, S, "410")
    desk.answers = ()
    desk.until(10)

    assert ["x:firing", "x:firing"] == [what for _, what in desk.said()]


def test_an_alert_that_fires_again_is_told_though_its_end_reached_only_one_of_two() -> None:
    desk = Desk()
    desk.post("x")
    desk.until(5)
    desk.answers = (TAKEN, AWAY)
    desk.post("x", ends=True)
    desk.until(10)
    desk.post("x")
    desk.until(30)

    assert ["x:firing", "x:resolved", "x:firing"] == [what for _, what in desk.said()]


def test_an_end_is_kept_for_a_channel_that_is_away_one_repetition_and_no_longer() -> None:
    desk = Desk(TAKEN, AWAY)
    desk.post("x")
    desk.post("y")
    desk.until(5)
    desk.post("y", ends=True)
    desk.until(200)

    said = [what for _, what in desk.said()]
    assert ["x:firing y:firing", "x:firing y:resolved", "x:firing y:resolved"] == said[:3]
    assert {"x:firing"} == set(said[3:])
