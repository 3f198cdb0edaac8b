"""`config show` and `config check`: every setting in force, its origin, no secret, and whether `run` could start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trading_orchestrator.app.settings import practice_toml
from trading_orchestrator.cli.main import build
from trading_orchestrator.kernel.config import ConfigRefused


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The practice config, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trading-orchestrator.toml"
    path.write_text(practice_toml().read_text(encoding="utf-8"))
    return path


def run(*arguments: str, **environ: str) -> Result:
    names = {f"TRADING_ORCHESTRATOR_{name}": value for name, value in environ.items()}
    return CliRunner().invoke(build(), ["config", *arguments], env=names)


def shown(*arguments: str, **environ: str) -> dict[str, tuple[Any, str]]:
    found = json.loads(run("show", "--json", *arguments, **environ).stdout)["settings"]
    return {one["key"]: (one["value"], one["origin"]) for one in found}


def test_the_stronger_origin_wins_and_is_named(config: Path) -> None:
    settings = shown("--port", "8123", KEEPER__NODES="1", KEEPER__PORT="8001")

    assert (8123, "argument") == settings["keeper.port"]
    assert (1, "environment") == settings["keeper.nodes"]
    assert (1.5, "file") == settings["keeper.hang_kill_s"]
    assert (30.0, "default") == settings["keeper.backoff_cap_s"]


def test_within_a_list_a_key_that_nobody_gave_is_a_default(config: Path) -> None:
    settings = shown()

    assert ("maker", "file") == settings["trading.desk.practice.strategies[0].name"]
    assert (True, "default") == settings["trading.desk.practice.strategies[0].enabled"]
    assert ("50", "file") == settings["trading.desk.practice.strategies[0].params.qty"]


def test_no_secret_is_shown_wherever_it_came_from(config: Path) -> None:
    text = config.read_text().replace("[brokers.practice]", '[brokers.practice]\noptions = { apiToken = "t0psecret" }')
    config.write_text(text)
    for said in (run("show"), run("show", "--json"), run("show", BROKERS__PRACTICE__SECRET="from-outside")):
        assert 0 == said.exit_code
        assert not {"demo-secret", "demo-key", "t0psecret", "from-outside"} & set(said.stdout.replace('"', " ").split())
    settings = shown(BROKERS__PRACTICE__SECRET="from-outside")

    assert ("***", "environment") == settings["brokers.practice.secret"]
    assert ("***", "file") == settings["brokers.practice.options.apiToken"]
    assert ("", "default") == settings["brokers.practice.secret_env"]


def test_where_a_secret_is_kept_is_no_secret(config: Path) -> None:
    config.write_text(config.read_text().replace('secret = "demo-secret"', 'secret_file = "/run/secrets/mine"'))

    assert ("/run/secrets/mine", "file") == shown()["brokers.practice.secret_file"]


def test_a_password_inside_an_address_is_masked(config: Path) -> None:
    urls = '[brokers.practice]\noptions = { httpsProxy = "http://me:mine@proxy:3128" }'
    config.write_text(config.read_text().replace("[brokers.practice]", urls))

    assert ("http://***@proxy:3128", "file") == shown()["brokers.practice.options.httpsProxy"]


def test_a_usable_config_is_exit_code_0(config: Path) -> None:
    said = run("check", "--practice")

    assert 0 == said.exit_code
    assert "trading-orchestrator.toml can be used: 1 desk" in said.stdout


def test_a_key_that_nobody_keeps_is_told_before_the_start(config: Path) -> None:
    config.write_text(config.read_text().replace('api_key = "demo-key"', 'api_key_env = "NO_SUCH_VARIABLE"'))
    said = run("check", "--practice", "--json")
    remarks = json.loads(said.stdout)["remarks"]

    assert 2 == said.exit_code
    assert ["brokers.practice.api_key_env"] == [one["key"] for one in remarks if one["level"] == "error"]


@pytest.mark.parametrize(
    ("exchange", "why"),
    [("binanc", "(did you mean `binance`?)"), ("apex", "expected one with a spot market"), ("kraken", "ours have 23")],
)
def test_an_exchange_that_cannot_be_traded_is_told_before_the_start(config: Path, exchange: str, why: str) -> None:
    config.write_text(config.read_text().replace('exchange = "binance"', f'exchange = "{exchange}"'))

    refused = run("check").exception
    assert isinstance(refused, ConfigRefused)
    assert "brokers.practice.exchange" == refused.facts["key"]
    assert why in refused.message


def test_a_console_that_others_could_reach_is_refused(config: Path) -> None:
    refused = run("check", KEEPER__HOST="0.0.0.0").exception
    assert isinstance(refused, ConfigRefused)
    assert "host: expected a loopback address such as 127.0.0.1, was 0.0.0.0" in refused.message


def test_alerts_that_would_stop_a_start_are_told_before_it(config: Path) -> None:
    with config.open("a") as file:
        file.write('\n[perpetual_operations.alerts.channels.chat]\nkind = "log"\nfallback = "mail"\n')
    checked = run("check")

    assert 2 == checked.exit_code
    assert "error: perpetual_operations.alerts.channels.chat.fallback: " in checked.stdout


def test_a_desk_that_cannot_decide_is_a_warning(config: Path) -> None:
    text = config.read_text()
    for name in ("maker", "trend"):
        text = text.replace(f'name = "{name}"', f'name = "{name}"\nenabled = false')
    config.write_text(text)
    said = run("check", "--practice")

    assert 0 == said.exit_code
    assert "warning: trading.desk.practice.strategies: no strategy is enabled" in said.stdout


def test_a_wrong_key_names_the_nearest(config: Path) -> None:
    config.write_text(config.read_text().replace("hang_kill_s", "hang_kil_s"))
    for command in ("show", "check"):
        error = run(command).exception
        assert isinstance(error, ConfigRefused)
        assert "did you mean `hang_kill_s`?" in error.message


def test_a_live_broker_is_a_note_that_names_the_command_which_arms_it(config: Path) -> None:
    config.write_text(config.read_text().replace("live = false", "live = true "))
    said = run("check")

    assert "note: brokers.practice.live: real money: desk practice sends no order before" in said.stdout
    assert 0 == said.exit_code


def test_practice_money_is_not_taken_to_the_real_exchange(config: Path) -> None:
    said = run("check")
    assert "error: brokers.practice.live: live = false without urls would send practice orders to the" in said.stdout
    assert 2 == said.exit_code

    assert "brokers.practice.live" not in run("check", "--practice").stdout
    urls = 'live = false\nurls = { api = { public = "http://127.0.0.1:9/api/v3" } }'
    config.write_text(config.read_text().replace("live = false", urls, 1))
    assert "brokers.practice.live" not in run("check").stdout


def test_a_days_loss_in_two_kinds_of_money_is_refused(config: Path) -> None:
    text = config.read_text().replace('symbols = ["EUR/USDT"]', 'symbols = ["EUR/USDT", "BTC/EUR"]')
    config.write_text(text.replace("max_orders_per_s = 20", 'max_orders_per_s = 20\nmax_daily_loss = "50"'))
    said = run("check")

    assert isinstance(said.exception, ConfigRefused)
    assert "risk.max_daily_loss: expected symbols quoted in one asset, was EUR, USDT" in said.exception.message
