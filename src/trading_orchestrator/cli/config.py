"""`config`: the settings as they are in force, where each came from, and whether they can be used."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from trading_orchestrator.app.keeper_process import PRACTICE_BROKER, lacks_its_venue
from trading_orchestrator.app.settings import Configured, Layers, check_alert_channels, configured, read_layers
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.config import ConfigRefused, variable

MASK = "***"
WRONG_CONFIG = 2
_SECRET = re.compile(
    r"(^|_)(api_?key|secret|password|passphrase|passwd|pass|token|private_?key|credentials?|routing_key|webhook_url|dsn)s?$"
)
_REFERENCE = re.compile(r"_(env|file)$")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="As it would be given to `run`: port of the dashboard.")
]
PracticeOption = Annotated[
    bool, typer.Option("--practice", help="As it would be given to `run`: without a file, take the practice config.")
]


class Setting(NamedTuple):
    """One value in force. `origin`: default, file, environment or argument."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Remark:
    """What is wrong with settings that can be read: an error stops the start or a desk; a warning or note does not."""

    level: str
    key: str
    text: str


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="The settings in force: show them, check them.", no_args_is_help=True)
    app.callback()(lambda: None)
    app.command("show")(show)
    app.command("check")(check)
    return app


def show(
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what is the default.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    port: PortOption = None,
    practice: PracticeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show every setting in force with where it came from: default, file, environment, argument. Secrets are masked."""
    layers = read_layers(config, data_dir=data_dir, port=port, practice=practice)
    found = settings_in_force(configured(layers.values, layers.source), layers)
    if changed:
        found = [one for one in found if one.origin != "default"]
    if as_json:
        print(json_line({"source": layers.source, "settings": [one._asdict() for one in found]}))
        return
    # Here, for `run` imports this module and stays: what draws tables is no load for a keeper.
    from trading_orchestrator.cli.display import Column, screen, show_table

    columns = (Column("key"), Column("value"), Column("from"))
    rows = [(one.key, _spelled(one.value), one.origin) for one in found]
    show_table(screen(), f"Settings, from {layers.source}", columns, rows)


def check(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    port: PortOption = None,
    practice: PracticeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether `run` could start with these settings: keys, types, names, strategies, credentials, alerts.

    Exit code 0 when it could, 2 when it could not. Starts nothing, connects nowhere, writes nothing.
    """
    layers = read_layers(config, data_dir=data_dir, port=port, practice=practice)
    ready = configured(layers.values, layers.source)
    remarks = list(remarks_on(ready, practice=practice))
    is_usable = all(remark.level != "error" for remark in remarks)
    if as_json:
        told = [{"level": one.level, "key": one.key, "text": one.text} for one in remarks]
        print(json_line({"source": layers.source, "usable": is_usable, "remarks": told}))
    else:
        for one in remarks:
            print(f"{one.level}: {one.key}: {one.text}")
        print(f"{layers.source} {'can' if is_usable else 'can NOT'} be used: {_in_short(ready)}")
    sys.exit(0 if is_usable else WRONG_CONFIG)


def settings_in_force(ready: Configured, layers: Layers) -> list[Setting]:
    """Return every setting, leaf by leaf in the order of the config, secrets masked."""
    whole = msgspec.to_builtins(ready.settings)
    return [Setting(_dotted(path), masked(path, value), _origin(path, layers)) for path, value in _leaves(whole, ())]


def masked(path: tuple[str | int, ...], value: Any) -> Any:
    """Return the value, or a mask when any part of its key names a secret; a reference to one is no secret."""
    names = [_snake(str(part)) for part in path if isinstance(part, str)]
    is_secret = any(_SECRET.search(name) for name in names) and not _REFERENCE.search(names[-1])
    if is_secret and value not in ("", None):
        return MASK
    return _USERINFO.sub(f"{MASK}@", value) if isinstance(value, str) else value


def remarks_on(ready: Configured, *, practice: bool = False) -> Iterator[Remark]:
    """Yield what would fail or hurt later than at the reading of the settings.

    practice: as with `run --practice`, which leads its broker to the venue it starts.
    """
    used = {desk.broker for desk in ready.settings.trading.desk.values()}
    for name, broker in ready.settings.brokers.items():
        key = f"brokers.{name}"
        try:
            credentials = broker.credentials(variable)
        except OrchestratorError as error:
            yield Remark("error" if name in used else "warning", f"{key}.{error.facts.get('key', '')}", error.message)
            continue
        if not (credentials.api_key and credentials.secret):
            yield Remark(
                "error" if name in used else "warning", key, "expected api_key and secret, or where they are kept"
            )
        if name not in used:
            yield Remark("warning", key, "no desk trades there")
    if not ready.settings.trading.desk:
        yield Remark("warning", "trading.desk", "there is no desk, so nothing will trade")
    yield from _on_desks(ready, practice)
    if (folder := ready.data_dir).exists() and not folder.is_dir():
        yield Remark("error", "data_dir", f"{folder} is a file; choose another place")
    yield from _on_alerts(ready)


def _on_desks(ready: Configured, practice: bool) -> Iterator[Remark]:
    for name, desk in ready.settings.trading.desk.items():
        broker = ready.settings.brokers[desk.broker]
        if why := lacks_its_venue(ready.settings, desk.broker, practice=practice):
            yield Remark("error", f"brokers.{desk.broker}.live", why)
        elif broker.live and not (practice and desk.broker == PRACTICE_BROKER):
            text = f"real money: desk {name} sends no order before `trading-orchestrator desk arm {name}`"
            yield Remark("note", f"brokers.{desk.broker}.live", text)
        if not any(strategy.enabled for strategy in desk.strategies):
            yield Remark(
                "warning", f"trading.desk.{name}.strategies", "no strategy is enabled: the desk will not decide"
            )


def _on_alerts(ready: Configured) -> Iterator[Remark]:
    try:
        check_alert_channels(ready)
    except ConfigRefused as error:
        yield Remark("error", str(error.facts["key"]), error.message)


def _in_short(ready: Configured) -> str:
    settings = ready.settings
    counts = {
        "desk": len(settings.trading.desk),
        "enabled strategy": sum(one.enabled for desk in settings.trading.desk.values() for one in desk.strategies),
        "broker account": len(settings.brokers),
        "node": settings.keeper.nodes,
    }
    told = ", ".join(f"{count} {_plural(name) if count != 1 else name}" for name, count in counts.items())
    return f"{told}; data in {Path(settings.data_dir).resolve()}"


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inner = list(enumerate(value))
    if not inner:
        yield path, value
    for key, one in inner:
        yield from _leaves(one, (*path, key))


def _origin(path: tuple[str | int, ...], layers: Layers) -> str:
    """Return the strongest layer that says it. A list is replaced as a whole, so its own layer says all of it."""
    for origin, layer in reversed(layers.by_origin.items()):
        said = _says(layer, path)
        if said is not None:
            return origin if said else "default"
    return "default"


def _says(layer: Any, path: tuple[str | int, ...]) -> bool | None:
    """Return whether the layer gives this key; None when a weaker layer may."""
    at, in_list = layer, False
    for part in path:
        if isinstance(at, dict) and part in at:
            at = at[part]
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at, in_list = at[part], True
        else:
            return False if in_list or isinstance(at, list) else None
    return True


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
