"""Whatever may be a secret of a channel, or of the dead man's switch, may lie in the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.perpetual_operations.alerts.board import open_board
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.loading import check_secrets, load_alerts
from trading_orchestrator.perpetual_operations.alerts.starting import signs_of_life
from trading_orchestrator.storage.vault import KEY, PATH, Vault, new_key
from trading_orchestrator.watchdog.config import WatchdogConfig

ADDRESS = "https://hooks.example/a-token"
MAIL: dict[str, Any] = {"host": "mx.example", "sender": "a@b.example", "to": ["c@d.example"], "username": "u"}


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    monkeypatch.setenv(PATH, str(tmp_path / "vault.json"))
    monkeypatch.setenv(KEY, key)
    Vault(tmp_path / "vault.json", key).set("IT", ADDRESS)


@pytest.mark.usefixtures("vault")
@pytest.mark.parametrize(
    ("kind", "settings", "shown"),
    [
        ("webhook", {"url": "vault:IT"}, "_url"),
        ("webhook", {"url": "https://hooks.example", "secret": "vault:IT"}, "_secret"),
        ("alertmanager", {"url": "vault:IT"}, "_url"),
        ("apprise", {"url": "vault:IT"}, "_url"),
        ("email", {**MAIL, "password": "vault:IT"}, "_password"),
        ("pagerduty", {"routing_key": "vault:IT"}, "_routing_key"),
    ],
)
async def test_a_channel_opens_with_an_entry_of_the_vault(kind: str, settings: dict[str, Any], shown: str) -> None:
    plan = load_alerts(AlertsConfig(default_rules=False, channels={"it": {"kind": kind, **settings}}), source="a test")
    check_secrets(plan)
    board = open_board(plan, VirtualClock())

    assert getattr(board.lanes["it"]._channel, shown).startswith(ADDRESS)
    await board.close()


@pytest.mark.usefixtures("vault")
def test_the_dead_mans_switch_finds_its_address_there(tmp_path: Path) -> None:
    config = build(WatchdogConfig, {"beat_url": "vault:IT"}, source="a test")
    alerts: Any = None
    switch = signs_of_life(
        alerts, config, clock=VirtualClock(), data_dir=tmp_path, node="a", report=lambda: pytest.fail("is not asked")
    )

    assert ADDRESS == switch._beat_url
