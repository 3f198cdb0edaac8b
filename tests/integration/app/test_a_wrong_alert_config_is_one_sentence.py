"""Whatever is wrong about alerts: `run` refuses with file, line, key and reason, also where an older config worked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.app.test_bad_input_is_one_sentence import run, the_sentence
from trading_orchestrator.app.settings import practice_toml

pytestmark = pytest.mark.integration
WELL = """\
[route]
receiver = "desk"
[receivers.desk]
channels = ["chat"]
[channels.chat]
kind = "log"
"""
MISTAKES = {
    "a route that is misconfigured": (
        WELL.replace('receiver = "desk"', 'receiver = "desk"\ngroup_by = ["...", "desk"]'),
        1, "route", "`...` stands for every label, so it stands alone",
    ),
    "an unknown receiver": (WELL.replace('"desk"\n', '"desc"\n', 1), 2, "route.receiver", "did you mean `desk`"),
    "a bad time zone": (
        WELL + '[[time_intervals.nights]]\nlocation = "Europe/Berlim"\n', 7, "time_intervals.nights.0", "Europe/Berlim",
    ),
    "a bad time zone of a schedule": (
        WELL + '[users.ann]\ncontacts = [{channel = "chat"}]\n[schedules.s]\ntime_zone = "Mars/North"\n'
        'rotations = [{people = ["ann"], start = "2026-01-01T00:00"}]\n',
        10, "schedules.s.time_zone", "Mars/North",
    ),
    "a matcher error": (
        WELL + '[[inhibit_rules]]\nsource_matchers = ["severity=~(("]\n', 8, "inhibit_rules.0.source_matchers", "((",
    ),
    "a channel without its secret": (
        WELL.replace('kind = "log"', 'kind = "webhook"\nurl = "http://a"\nsecret = "env:GONE"'),
        8, "channels.chat.secret", "environment variable GONE to be set",
    ),
    "a literal secret": (
        WELL.replace('kind = "log"', 'kind = "webhook"\nurl = "http://a"\nsecret = "hunter2"'),
        8, "channels.chat.secret", "expected a reference to a secret",
    ),
    "a password in an address": (
        WELL.replace('kind = "log"', 'kind = "webhook"\nurl = "https://u:hunter2@hooks.example/T0"'),
        7, "channels.chat.url", "a reference may have it: env:NAME, file:PATH or vault:NAME",
    ),
    "a key in an address": (
        WELL.replace('kind = "log"', 'kind = "alertmanager"\nurl = "https://am.example?key=hunter2"'),
        7, "channels.chat.url", "expected an address without a query",
    ),
    "a reference that leads to no address": (
        WELL.replace('kind = "log"', 'kind = "webhook"\nurl = "env:PATH"'),
        7, "channels.chat.url", "expected what env:PATH leads to to be an address such as https://host/path",
    ),
    "an address that Apprise does not know": (
        WELL.replace('kind = "log"', 'kind = "apprise"\nurl = "env:PATH"'),
        7, "channels.chat.url", "Apprise does not understand what env:PATH leads to",
    ),
    "an unknown fallback": (
        WELL.replace('kind = "log"', 'kind = "log"\nfallback = "mial"') + '[channels.mail]\nkind = "log"\n',
        7, "channels.chat.fallback", "did you mean `mail`",
    ),
    "fallbacks in a circle": (
        WELL.replace('kind = "log"', 'kind = "log"\nfallback = "b"')
        + '[channels.b]\nkind = "log"\nfallback = "chat"\n',
        7, "channels.chat.fallback", "chat → b → chat",
    ),
    "a bad template": (
        WELL.replace('kind = "log"', 'kind = "log"\ntexts = {head = "{{ sumary }}"}'),
        7, "channels.chat.texts", "did you mean `summary`",
    ),
    "a log without its folder": (
        WELL.replace('kind = "log"', 'kind = "log"\npath = "no/such/alerts.log"'),
        7, "channels.chat.path", "the folder of no/such/alerts.log does not exist",
    ),
}  # fmt: skip


def start(folder: Path, alerts: str) -> tuple[int, str]:
    (folder / "alerts.toml").write_text(alerts)
    config = practice_toml().read_text(encoding="utf-8")
    (folder / "main.toml").write_text(f'{config}\n[perpetual_operations.alerts]\npath = "alerts.toml"\n')
    more = ("--config", "main.toml", "--port", "0", "--data-dir", str(folder / "data"))
    return run(folder, "run", "--practice", *more)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_run_refuses_it_and_leaves_the_data_alone(tmp_path: Path, mistake: str) -> None:
    alerts, line, key, reason = MISTAKES[mistake]
    code, said = start(tmp_path, alerts)

    assert 2 == code
    sentence = the_sentence(said)
    assert sentence.startswith(f"alerts.toml: line {line}: {key}: ")
    assert reason in sentence
    assert "hunter2" not in said
    assert not (tmp_path / "data").exists()


def test_a_config_that_worked_before_is_no_excuse_for_the_present_one(tmp_path: Path) -> None:
    """What a replacement of a node may fall back to, an operator who starts the program must not get."""
    (tmp_path / "data").mkdir()
    kept = {"route": {"receiver": "log"}, "receivers": {"log": {}}}
    (tmp_path / "data" / "alerts.last-good.json").write_text(json.dumps(kept))
    alerts, line, key, _ = MISTAKES["an unknown fallback"]
    code, said = start(tmp_path, alerts)

    assert 2 == code
    assert the_sentence(said).startswith(f"alerts.toml: line {line}: {key}: ")


@pytest.mark.parametrize("mistake", ["a bad template", "an address that Apprise does not know"])
def test_the_check_says_the_same_and_needs_no_start(tmp_path: Path, mistake: str) -> None:
    alerts, line, key, reason = MISTAKES[mistake]
    (tmp_path / "alerts.toml").write_text(alerts)
    (tmp_path / "main.toml").write_text('[perpetual_operations.alerts]\npath = "alerts.toml"\n')
    code, said = run(tmp_path, "alerts", "rules", "check", "--config", "main.toml")

    assert 2 == code
    assert the_sentence(said).startswith(f"alerts.toml: line {line}: {key}: ")
    assert reason in said
