"""The whole configuration: file, environment and arguments, checked before anything starts."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trading_orchestrator.brokers.ccxt.client_ids import ASKED_BY_CLIENT_ID, check_client_ids
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.config import JournalConfig
from trading_orchestrator.keeper.config import KeeperConfig
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import ConfigRefused, build, environment, merged, nearest, read_toml
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk_strategies import strategies_of
from trading_orchestrator.trading.risk.daily_loss import loss_asset

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.alerts.loading import Plan

DEFAULT_CONFIG = Path("trading-orchestrator.toml")
ENVIRONMENT = "TRADING_ORCHESTRATOR"
JOURNAL_FILE = "journal.db"
DESK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TradingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TOML: `[trading.desk.NAME]`, one table a desk."""

    desk: dict[str, DeskConfig] = {}

    def __post_init__(self) -> None:
        for name in self.desk:
            if not DESK_NAME.fullmatch(name):  # a stream and a lease bear it, and so does a page's address
                raise ValueError(
                    f"desk: expected a name of up to 64 letters, digits, `.`, `_` and `-` that begins with a letter or "
                    f"digit, was {name!r}"
                )


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration; each part is described beside the part."""

    data_dir: str = "data"
    keeper: KeeperConfig = KeeperConfig()
    journal: JournalConfig = JournalConfig()
    brokers: dict[str, CcxtConfig] = {}
    trading: TradingConfig = TradingConfig()
    perpetual_operations: OperationsConfig = OperationsConfig()


@dataclass(frozen=True)
class Configured:
    """Settings with the mapping they were built from, and what to call that in messages."""

    settings: Settings
    values: dict[str, Any]
    source: str

    @property
    def data_dir(self) -> Path:
        return Path(self.settings.data_dir)


def read_settings(
    config: Path | None = None,
    *,
    data_dir: Path | None = None,
    port: int | None = None,
    practice: bool = False,
) -> Configured:
    """Return the settings: defaults, below the file, below the environment, below the arguments.

    Raises:
        ConfigRefused: no file to read, or a key that cannot be used; the sentence says what to do.
    """
    # Here and not in `configured`: a node need not check again what its keeper has checked before starting it.
    from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts

    layers = read_layers(config, data_dir=data_dir, port=port, practice=practice)
    found = configured(layers.values, layers.source)
    load_alerts(found.settings.perpetual_operations.alerts, source=found.source)
    return found


@dataclass(frozen=True)
class Layers:
    """What was read, the weakest first, by the name of where it came from; `source` is what messages call it."""

    by_origin: dict[str, dict[str, Any]]
    source: str

    @property
    def values(self) -> dict[str, Any]:
        """Return all of it as one mapping: the stronger wins, key by key."""
        values: dict[str, Any] = {}
        for layer in self.by_origin.values():
            values = merged(values, layer)
        return values


def read_layers(
    config: Path | None = None,
    *,
    data_dir: Path | None = None,
    port: int | None = None,
    practice: bool = False,
) -> Layers:
    """Return what file, environment and arguments say, unchecked and apart.

    Raises:
        ConfigRefused: no file to read, or it is not TOML.
    """
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    if path is not None:
        values, source = read_toml(path), str(path)
    elif practice:
        values, source = read_toml(practice_toml()), "the practice config"
    else:
        raise ConfigRefused(
            "no config file: write one with `trading-orchestrator init`, or start with `run --practice`", source=""
        )
    arguments: dict[str, Any] = {"data_dir": str(data_dir)} if data_dir is not None else {}
    if port is not None:
        arguments["keeper"] = {"port": port}
    return Layers({"file": values, "environment": environment(ENVIRONMENT), "argument": arguments}, source)


def find_data_dir(config: Path | None = None, data_dir: Path | None = None) -> Path:
    """Return the data directory for commands that only read: no config file is needed for the default one."""
    if data_dir is not None:
        return data_dir
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    values = merged(read_toml(path) if path is not None else {}, environment(ENVIRONMENT))
    return Path(str(values.get("data_dir", Settings().data_dir)))


def practice_toml() -> Path:
    """Return the commented config that `init` writes and `run --practice` falls back to."""
    return Path(str(resources.files("trading_orchestrator") / "practice.toml"))


def configured(values: dict[str, Any], source: str) -> Configured:
    """Return checked settings: beyond types, every name that points somewhere must find it."""
    settings = build(Settings, values, source=source)
    for name, broker in settings.brokers.items():
        _check_exchange(broker, f"brokers.{name}.exchange", source)
    for name, desk in settings.trading.desk.items():
        if desk.broker not in settings.brokers:
            hint = nearest(desk.broker, list(settings.brokers))
            raise ConfigRefused(
                f"{source}: trading.desk.{name}.broker: there is no [brokers.{desk.broker}]; {hint}",
                key=f"trading.desk.{name}.broker",
                source=source,
            )
        loss_asset(desk.symbols, desk.risk, source=f"{source}: trading.desk.{name}")
        strategies_of(desk, source=f"{source}: trading.desk.{name}")
    _check_accounts(settings, source)
    return Configured(settings, values, source)


def _check_accounts(settings: Settings, source: str) -> None:
    """Two desks of one account would give out the same order ids, and each take the other's orders for its own."""
    owners: dict[tuple[str, object], str] = {}
    for name, desk in settings.trading.desk.items():
        broker = settings.brokers[desk.broker]
        api_key = (broker.api_key, broker.api_key_env, broker.api_key_file)
        shared = {
            "broker": (desk.broker, f"[brokers.{desk.broker}]"),
            "account": (desk.account_name, f"account `{desk.account_name}`"),
            "broker.api_key": ((broker.exchange, str(broker.urls), *api_key) if any(api_key) else name, "that API key"),
        }
        for key, (value, told) in shared.items():
            owner = owners.setdefault((key, value), name)
            if owner != name:
                key = f"trading.desk.{name}.{key}"
                raise ConfigRefused(
                    f"{source}: {key}: desk {owner} trades on {told} already, and two desks of one account would take "
                    "each other's orders for their own; give each a broker section and an account of its own, or make "
                    "them one desk",
                    key=key,
                    source=source,
                )


def _check_exchange(broker: CcxtConfig, key: str, source: str) -> None:
    try:
        check_client_ids(broker.exchange, broker.client_id_param)
    except Refused as error:
        hint = nearest(broker.exchange, sorted(ASKED_BY_CLIENT_ID))
        hint = f" ({hint})" if hint.startswith("did") else ""
        raise ConfigRefused(f"{source}: {key}: {error.message}{hint}", key=key, source=source) from None


def check_alert_channels(config: Configured) -> None:
    """Open every channel of the alerts and close it again, so that one that cannot work stops a start, not a message.

    Raises:
        ConfigRefused: the sentence names file, line, key and reason.
    """
    from trading_orchestrator.perpetual_operations.alerts.board import open_board, try_out
    from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts

    plan = load_alerts(config.settings.perpetual_operations.alerts, source=config.source)
    if plan.config.enabled:
        asyncio.run(try_out(plan, lambda plan: open_board(plan, SystemClock())))


def read_alerts(config: Configured) -> Plan:
    """Return the plan of alerts as file and environment have it now; without a file, as the settings have it.

    Raises:
        ConfigRefused: it cannot be used; the sentence names file, line, key and reason.
    """
    from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts

    path = Path(config.source)
    settings = config.settings
    if path.is_file():
        settings = build(Settings, merged(read_toml(path), environment(ENVIRONMENT)), source=config.source)
    return load_alerts(settings.perpetual_operations.alerts, source=config.source)
