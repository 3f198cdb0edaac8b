"""A wrong alert config is refused as a whole, with file, line, key and reason; no secret is ever repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.app.settings import read_settings
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations.alerts.board import open_board
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, check_secrets, load_alerts
from trading_orchestrator.perpetual_operations.alerts.secret_reference import SecretRefused, revealed
from trading_orchestrator.perpetual_operations.alerts.toml_lines import line_of
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.settings_source import alerts_plan, settings_of

WELL = """
[route]
receiver = "desk"
[[route.routes]]
matchers = ['severity="critical"']
receiver = "desk"
mute_time_intervals = ["night"]
[receivers.desk]
[[time_intervals.night]]
times = [{ start_time = "22:00", end_time = "24:00" }]
location = "Europe/Berlin"
[[rules]]
kind = "threshold"
name = "Hot"
metric = "t"
threshold = 90
clear = 80
"""
WRONG = {
    "an unknown receiver": ('receiver = "desk"\nmute', 'receiver = "dask"\nmute', 6, "route.routes.0.receiver", "desk"),
    "an unknown interval": (
        '["night"]',
        '["day"]',
        7,
        "route.routes.0.mute_time_intervals",
        "nothing under [time_intervals] is named 'day'",
    ),
    "a matcher error": ('severity="critical"', "severity~critical", 5, "route.routes.0.matchers", "expected name OP"),
    "a bad time zone": ("Europe/Berlin", "Europe/Berlim", 9, "time_intervals.night.0", "no time zone is named"),
    "a misspelt key": ("name =", "nam =", 14, "rules.0.nam", "did you mean `name`?"),
    "a rule on the wrong side": (
        "clear = 80",
        "clear = 95",
        17,
        "rules.0.clear",
        "on the quiet side of the threshold 90",
    ),
    "a wrong type": ("threshold = 90", 'threshold = "x"', 16, "rules.0.threshold", "float"),
    "a kind that is none": ('"threshold"', '"treshold"', 13, "rules.0.kind", "did you mean `threshold`?"),
    "an unknown channel": (
        "[receivers.desk]",
        '[receivers.desk]\nchannels = ["sms"]',
        9,
        "receivers.desk.channels",
        "there is no [channels] at all",
    ),
    "a number that JSON does not know": (
        "threshold = 90",
        "threshold = 90\nfor = inf",
        17,
        "rules.0.for",
        "expected a finite number, was inf",
    ),
    "an unknown ladder": (
        "[receivers.desk]",
        '[receivers.desk]\nescalation = "all"',
        9,
        "receivers.desk.escalation",
        "there is no [escalations] at all",
    ),
    "a channel of no kind": (
        "[receivers.desk]",
        '[channels.chat]\nkind = "chat"\n[receivers.desk]',
        9,
        "channels.chat.kind",
        "no kind of channel is named 'chat'",
    ),
    "a channel with a key it has not": (
        "[receivers.desk]",
        '[channels.hook]\nkind = "webhook"\nurl = "http://a"\nsecrett = "env:A"\n[receivers.desk]',
        11,
        "channels.hook.secrett",
        "did you mean `secret`?",
    ),
    "a ladder to nobody": (
        "[receivers.desk]",
        '[escalations.all]\nsteps = [{ delay_s = 1, targets = ["anna"] }]\n[receivers.desk]',
        9,
        "escalations.all.steps",
        "anna",
    ),
    "a person without a channel": (
        "[receivers.desk]",
        '[users.anna]\ncontacts = [{ channel = "sms" }]\n[receivers.desk]',
        9,
        "users.anna.contacts.0.channel",
        "is named 'sms'",
    ),
    "a schedule in no zone": (
        "[receivers.desk]",
        '[schedules.n]\ntime_zone = "Mars"\nrotations = [{ people = ["a"], start = "2026-01-01" }]\n[receivers.desk]',
        9,
        "schedules.n.time_zone",
        "Mars",
    ),
    "a rule to leave out that is not there": (
        "\n[route]",
        'disabled_rules = ["Nothing"]\n[route]',
        1,
        "disabled_rules",
        "is named 'Nothing'",
    ),
}


def load(folder: Path, text: str) -> Plan:
    path = folder / "alerts.toml"
    path.write_text(text)
    return load_alerts(AlertsConfig(path=str(path)), source="main.toml")


def test_what_is_well_becomes_a_plan(tmp_path: Path) -> None:
    plan = load(tmp_path, WELL)

    assert "Hot" == plan.rules[-1].name
    assert {"desk"} == plan.receivers.keys()
    assert ["0", "0.0"] == [route.route_id for route in plan.policy.tree.walk()]


def test_no_config_at_all_sends_everything_to_the_log() -> None:
    plan = load_alerts(AlertsConfig(), source="nothing")

    assert {"log"} == plan.receivers.keys()
    assert "log" == plan.policy.tree.receiver
    assert plan.rules


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    right, wrong, line, key, reason = WRONG[name]
    assert right in WELL

    with pytest.raises(ConfigRefused) as raised:
        load(tmp_path, WELL.replace(right, wrong, 1))

    assert (key, line) == (raised.value.facts["key"], raised.value.facts["line"])
    assert raised.value.message.startswith(f"{tmp_path}/alerts.toml: line {line}: {key}: ")
    assert reason in raised.value.message


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    rule = WELL[WELL.index("[[rules]]") :]
    with pytest.raises(ConfigRefused, match=r"line 20: rules\.1\.name: two rules are named 'Hot'"):
        load(tmp_path, WELL + rule)


def test_a_rule_of_ones_own_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    shipped = {rule.name: rule for rule in load(tmp_path, "").rules}
    name = next(iter(shipped))
    own = load(tmp_path, WELL.replace('"Hot"', f'"{name}"'))

    assert len(shipped) == len(own.rules)
    assert shipped[name] not in own.rules


def test_keys_stand_either_here_or_there(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text("")
    with pytest.raises(ConfigRefused, match=r"perpetual_operations\.alerts\.interval_s: expected it in "):
        load_alerts(AlertsConfig(path=str(path), interval_s=2.0), source="main.toml")
    with pytest.raises(ConfigRefused, match=r"line 1: enabled: expected it in main\.toml"):
        load(tmp_path, "enabled = false\n")


def test_lines_are_found_through_arrays_texts_and_quotes() -> None:
    text = '# x\n[[a]]\nb = """\n[[a]]\n"""\n[[a]]\n"c d".e = [\n  1,\n]\n[a.f]\ng = 1\n[[h."i.j"]]\n'

    keys = {
        ("a", "0", "b"): 3,
        ("a", "1"): 6,
        ("a", "1", "c d", "e"): 7,
        ("a", "1", "f", "g"): 11,
        ("h", "i.j", "0", "k"): 12,
    }
    assert keys == {key: line_of(text, key) for key in keys}
    assert line_of(text, ("z",)) is None


def test_a_secret_is_followed_and_never_repeated(tmp_path: Path) -> None:
    (tmp_path / "held").write_text("in a file\n")

    assert "in a file" == revealed(f"file:{tmp_path}/held")
    assert "in the environment" == revealed(
        "env:S", environment=lambda name: "in the environment" if name == "S" else None
    )
    for reference in ("hunter2", "literal:hunter2", "env:"):
        with pytest.raises(SecretRefused) as raised:
            revealed(reference, environment=lambda name: None)
        assert "hunter2" not in f"{raised.value.message} {raised.value.facts}"
    with pytest.raises(SecretRefused, match="the environment variable GONE to be set"):
        revealed("env:GONE", environment=lambda name: None)
    with pytest.raises(SecretRefused, match="No such file"):
        revealed(f"file:{tmp_path}/gone")


def test_the_program_and_a_program_around_it_refuse_it_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "main.toml"
    path.write_text('[perpetual_operations.alerts.route]\nreceiver = "nobody"\n')

    for read in (read_settings, lambda path: alerts_plan(path)()):
        with pytest.raises(ConfigRefused) as raised:
            read(path)
        assert raised.value.message.startswith(f"{path}: line 2: perpetual_operations.alerts.route.receiver: nothing")


def test_settings_built_in_code_are_read_as_those_of_a_file() -> None:
    routes = (RouteConfig(matchers=("a=b",), continue_=True),)
    alerts = AlertsConfig(route=RouteConfig(receiver="r", routes=routes), receivers={"r": ReceiverConfig()})

    assert alerts == settings_of(OperationsConfig(alerts=alerts)).alerts


def test_a_channel_without_its_secret_is_refused_at_its_place(tmp_path: Path) -> None:
    hook = '[channels.hook]\nkind = "webhook"\nurl = "http://a"\nsecret = "env:NO_SUCH_SECRET"\n'
    plan = load(tmp_path, WELL + hook)

    for check in (lambda: open_board(plan, VirtualClock()), lambda: check_secrets(plan)):
        with pytest.raises(ConfigRefused) as raised:
            check()
        assert raised.value.message.startswith(f"{tmp_path}/alerts.toml: line 21: channels.hook.secret: ")
        assert "NO_SUCH_SECRET" in raised.value.message
