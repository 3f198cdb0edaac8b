"""The switchboard: channels by name and kind, fallbacks that end somewhere, secrets that are never shown."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.unit.alerts.post import Told, letter
from tests.unit.alerts.rule_bench import S, firing
from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.board import open_board
from trading_orchestrator.perpetual_operations.alerts.channel_status import channel_statuses
from trading_orchestrator.perpetual_operations.alerts.channels.kinds import KINDS, KindUnknown, kind_named
from trading_orchestrator.perpetual_operations.alerts.channels.log.channel import LogRefused
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig, ReceiverConfig
from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts, shipped_rules
from trading_orchestrator.perpetual_operations.alerts.rules.config import measured_rules
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.health import BADNESS, HEALTH
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook
from trading_orchestrator.perpetual_operations.alerts.secret_reference import SecretRefused, revealed
from trading_orchestrator.perpetual_operations.alerts.switchboard import (
    ChannelUnknown,
    FallbackCircle,
    Switchboard,
)
from trading_orchestrator.perpetual_operations.alerts.templates.template import TemplateRefused

SECRET = "only-for-this-test-5b1f"
FIRST: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://127.0.0.1:1/x", "secret": "env:S"},
    "alertmanager": {"url": "http://127.0.0.1:1"},
    "email": {
        "host": "localhost",
        "sender": "a@b.example",
        "to": ["c@d.example"],
        "username": "u",
        "password": "env:S",
    },
    "apprise": {"url": "env:S"},
    "pagerduty": {"routing_key": "env:S"},
    "log": {},
}


def board(**channels: dict[str, Any]) -> Switchboard:
    configs = {
        name: build(kind_named(values["kind"]).config, {k: v for k, v in values.items() if k != "kind"}, source=name)
        for name, values in channels.items()
    }
    kinds = {name: values["kind"] for name, values in channels.items()}
    return Switchboard(kinds, configs, Opening(VirtualClock(), reveal))


def reveal(reference: str) -> str:
    return revealed(reference, environment={"S": SECRET}.get)


def log(**settings: Any) -> dict[str, Any]:
    return {"kind": "log", **settings}


def test_a_way_is_a_channel_and_those_that_stand_in_for_it() -> None:
    one = board(a=log(fallback="b"), b=log(fallback="c"), c=log())

    assert [["a", "b", "c"], ["c"]] == [[lane.name for lane in way.lanes] for way in one.ways(["a", "c"])]
    assert ["log"] == [way.name for way in one.ways([])]


def test_a_fallback_that_leads_nowhere_or_in_a_circle_is_refused() -> None:
    with pytest.raises(ChannelUnknown, match="did you mean `mail`"):
        board(mail=log(), sms=log(fallback="mial"))
    with pytest.raises(FallbackCircle, match="a → b → a"):
        board(a=log(fallback="b"), b=log(fallback="a"))


def test_a_kind_that_does_not_exist_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(KindUnknown, match="did you mean `email`"):
        kind_named("e-mail")


@pytest.mark.parametrize("kind", KINDS)
def test_no_channel_shows_its_secret(kind: str) -> None:
    assert set(KINDS) == set(FIRST)
    one = board(it={"kind": kind, **FIRST[kind]})
    lane = one.lanes["it"]
    channel: Channel = lane._channel

    shown = [repr(lane.config), repr(channel), repr(lane), str(lane.health()), repr(one)]
    assert [] == [text for text in shown if SECRET in text]


@pytest.mark.parametrize(("kind", "key"), [("webhook", "secret"), ("email", "password"), ("apprise", "url")])
def test_a_secret_that_is_not_there_stops_the_start(kind: str, key: str) -> None:
    with pytest.raises(SecretRefused, match="environment variable NOT_SET"):
        board(it={"kind": kind, **FIRST[kind], key: "env:NOT_SET"})


@pytest.mark.parametrize(("kind", "key"), [("webhook", "secret"), ("email", "password"), ("pagerduty", "routing_key")])
def test_a_secret_in_the_clear_stops_the_start_and_is_not_repeated(kind: str, key: str) -> None:
    with pytest.raises(SecretRefused) as refused:
        board(it={"kind": kind, **FIRST[kind], key: SECRET})

    assert SECRET not in f"{refused.value} {refused.value.facts}"


@pytest.mark.parametrize(
    ("kind", "wrong", "reason"),
    [
        ("webhook", {"url": "ftp://x"}, "url"),
        ("webhook", {"sekret": "env:S"}, "did you mean `secret`"),
        ("email", {"to": []}, "to"),
        ("email", {"to": ["Me <me@x.example>"]}, "bare address"),
        ("email", {"host": "mx.example", "tls": "none"}, "in the clear"),
        ("email", {"password": None}, "username and password together"),
        ("apprise", {"url": "tgram://token/chat"}, "url"),
        ("log", {"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(kind: str, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigRefused, match=reason) as refused:
        board(it={"kind": kind, **FIRST[kind], **wrong})

    assert "token" not in str(refused.value)


def test_a_text_with_a_wrong_hole_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(TemplateRefused, match="did you mean `summary`"):
        board(it=log(texts={"head": "{{ sumary }}"}))
    with pytest.raises(LogRefused, match="does not exist"):
        board(it=log(path=str(tmp_path / "no" / "alerts.log")))


async def test_a_test_message_goes_by_one_channel_alone(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    one = board(file=log(path=str(path), fallback="other"), other=log())

    assert "logged" == await one.test("file")
    with pytest.raises(ChannelUnknown):
        await one.test("nobody")
    await one.close()

    assert "FIRING info: This is a test of the channel file. Nothing is wrong. (1 firing)" in path.read_text()
    assert (1, 0) == (one.lanes["file"].figures.sent_total, one.lanes["other"].figures.sent_total)


async def test_a_file_is_rotated_and_one_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    one = board(file=log(path=str(path), max_bytes=1_000, keep=2))
    for _ in range(30):
        await one.test("file")
    await one.close()
    assert {"alerts.log", "alerts.log.1", "alerts.log.2"} == {file.name for file in tmp_path.iterdir()}
    assert all(file.stat().st_size <= 1_000 for file in tmp_path.iterdir())

    beyond = tmp_path / "away"
    beyond.mkdir()
    two = board(file=log(path=str(beyond / "alerts.log")))
    beyond.rmdir()
    with pytest.raises(Transient, match="No such file"):
        await two.test("file")
    assert HealthState.DEGRADED == two.health().state


async def test_a_line_in_the_nodes_log_is_one_line_and_loud_when_critical(caplog: pytest.LogCaptureFixture) -> None:
    lane = board().lanes["log"]
    await lane.tried(letter(severity="critical"))
    await lane.tried(letter(severity="critical", status="resolved"))
    await lane.tried(letter())

    assert ["ERROR", "WARNING", "WARNING"] == [record.levelname for record in caplog.records]
    assert "FIRING critical: Down (1 firing)" == caplog.records[0].getMessage()


async def test_channels_are_counted_where_metrics_are_read_from_and_go_on_counting_when_opened_anew() -> None:
    meter = Meter()
    opening = Opening(VirtualClock(), reveal, meter=meter)
    for _ in range(2):
        await Switchboard({}, {}, opening).test("log")

    families = {family.name: family.readings for family in meter.read()}
    assert [((("channel", "log"),), 2.0)] == [(one.labels, one.value) for one in families["trading_alerts_sent_total"]]
    assert 2 == sum(families["trading_alerts_send_seconds"][0].counts)
    assert 0.0 == families["trading_alerts_under_way"][0].value


async def test_channels_are_unwell_when_one_without_a_fallback_is_down() -> None:
    one = board(a=log(fallback="b"), b=log())
    assert HealthState.HEALTHY == one.health().state
    one.lanes["a"].breaker.open(by="test", reason="test")
    assert HealthState.DEGRADED == one.health().state
    one.lanes["b"].breaker.open(by="test", reason="test")
    assert HealthState.UNHEALTHY == one.health().state


async def test_how_a_channel_does_is_told_with_its_circuit_budget_and_answers(tmp_path: Path) -> None:
    paper = {"kind": "log", "path": str(tmp_path / "alerts.log"), "budget_per_min": 60, "burst": 5, "fallback": "log"}
    receivers = {"r": ReceiverConfig(channels=("paper",))}
    config = AlertsConfig(default_rules=False, channels={"paper": paper}, receivers=receivers)
    plan = load_alerts(config, source="a test")
    one = open_board(plan, VirtualClock())
    lane = one.lanes["paper"]
    async with lane.turn(is_critical=False):
        await lane.carry(letter(), is_critical=False)
    lane.figures.failed(Transient("answered 503"), 7)
    lane.breaker.open(by="anna", reason="noise")

    paper_now, log_now = channel_statuses(plan, one)
    await one.close()

    assert ("paper", "log", "unhealthy", "forced_open", "log") == (
        paper_now.name, paper_now.kind, paper_now.state, paper_now.circuit, paper_now.fallback,
    )  # fmt: skip
    assert (60.0, 4, 1, 1, "logged", "answered 503", 7) == (
        paper_now.budget_per_min, paper_now.budget_left, paper_now.sent_total, paper_now.failed_total,
        paper_now.last_answer, paper_now.last_error, paper_now.last_error_at_ns,
    )  # fmt: skip
    assert (("r",), None, None) == (paper_now.receivers, log_now.budget_left, log_now.last_answer_at_ns)


def test_every_refusal_of_a_channel_is_final() -> None:
    assert all(issubclass(error, Refused) for error in (ChannelUnknown, FallbackCircle, KindUnknown, LogRefused))


async def test_a_channel_without_fallback_that_refuses_everything_becomes_an_alert() -> None:
    one = board(chat={"kind": "log"})
    one.lanes["chat"]._channel = Told([Refused("answered 404") for _ in range(4)])
    book = RuleBook(measured_rules([rule for rule in shipped_rules() if rule.name == "NotificationChannelDown"]))
    samples = book.samples()
    for second in range(0, 91, 30):
        with suppress(Refused):
            await one.lanes["chat"].tried(letter(f"n-{second}"))
        samples.add(HEALTH, {"part": "alerts"}, second * S, BADNESS[one.health().state])
        book.evaluate(samples, second * S)
        assert [] == firing(book)

    samples.add(HEALTH, {"part": "alerts"}, 120 * S, BADNESS[one.health().state])
    book.evaluate(samples, 120 * S)
    assert ["NotificationChannelDown alerts"] == firing(book)
