"""A key is named by reference and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import ConfigRefused, build

LITERAL = CcxtConfig(api_key="key-5ec7e7", secret="secret-5ec7e7")


def test_the_config_does_not_print_its_key() -> None:
    shown = f"{LITERAL!r} {LITERAL} {LITERAL.credentials(lambda name: None)!r} {[LITERAL]}"

    assert "5ec7e7" not in shown


def test_the_key_comes_from_the_environment_when_the_config_names_a_variable() -> None:
    config = CcxtConfig(api_key_env="MY_KEY", secret_env="MY_SECRET")

    assert ("value of MY_KEY", "value of MY_SECRET") == config.credentials(lambda name: f"value of {name}")


def test_the_key_comes_from_files_without_their_line_ends(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    (tmp_path / "secret").write_text("s\n")
    config = CcxtConfig(api_key_file=str(tmp_path / "key"), secret_file=str(tmp_path / "secret"))

    assert ("k", "s") == config.credentials(lambda name: None)


@pytest.mark.parametrize("lacking", [{"api_key_env": "NOT_SET"}, {"secret_file": "/nowhere/secret"}])
def test_a_key_that_cannot_be_read_is_refused_by_its_name(lacking: dict[str, str]) -> None:
    with pytest.raises(Refused, match=next(iter(lacking))):
        CcxtConfig(**lacking).credentials(lambda name: None)  # type: ignore[arg-type]  # two str fields


def test_an_exchange_that_ccxt_lacks_is_refused_with_the_nearest_name() -> None:
    client = CcxtClient(CcxtConfig(exchange="binanze"), clock=VirtualClock())

    with pytest.raises(Refused, match="did you mean `binance`"):
        _ = client.exchange


@pytest.mark.parametrize("key", ["timeout_s", "validity_s", "ping_s", "quiet_s", "lag_s", "reconnect_most_s"])
def test_a_time_that_is_not_positive_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(ConfigRefused, match=key):
        build(CcxtConfig, {key: 0}, source="test")
