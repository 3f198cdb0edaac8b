"""Where the settings of an embedded wing come from: environment, TOML, a mapping, or a settings object."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trading_orchestrator.kernel.config import ConfigRefused, build, environment, merged, nearest, read_toml
from trading_orchestrator.perpetual_operations.config import OperationsConfig

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.alerts.loading import Plan

ENVIRONMENT = "TRADING_ORCHESTRATOR"
TABLE = "perpetual_operations"
OWN_KEYS = tuple(field.name for field in msgspec.structs.fields(OperationsConfig))


def settings_of(app_config: object, environ: Mapping[str, str] | None = None) -> OperationsConfig:
    """Return the wing's settings, `data_dir` always filled in.

    None and TOML files are overridden by the environment; what the program hands over itself is not. Beside the
    table `perpetual_operations`, only `data_dir` is read: the rest belongs to the program. A mapping without the
    table is taken for the table itself, and so is an object that has none of it but attributes of our names.

    Raises:
        ConfigRefused: a key is unknown or its value cannot be used; `facts["key"]` names it.
    """
    if isinstance(app_config, OperationsConfig):
        return _built(_plain(app_config), "app_config", None, ())  # built in code, so not checked before
    if app_config is None:
        return _of_program(environment(ENVIRONMENT, environ), "environment")
    if isinstance(app_config, str | os.PathLike):
        path = Path(app_config)
        return _of_file(merged(read_toml(path), environment(ENVIRONMENT, environ)), str(path))
    if isinstance(app_config, Mapping):
        if TABLE in app_config:
            return _of_program(app_config, "app_config")
        return _built(app_config, "app_config", None, ())
    if isinstance(app_config, bool | int | float | bytes | list | tuple | set):
        raise ConfigRefused(
            f"app_config: expected None, a path, a mapping or a settings object, was {app_config!r}", key="app_config"
        )
    return _of_program(_attributes(app_config), f"app_config ({type(app_config).__name__})")


def alerts_plan(app_config: object) -> Callable[[], Plan]:
    """Return what reads the plan of alerts from there, checked as a whole, each time anew.

    Raises, when called:
        ConfigRefused: as `settings_of`, and for everything in it that names what is not there.
    """
    from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts

    source = os.fspath(app_config) if isinstance(app_config, str | os.PathLike) else "app_config"
    return lambda: load_alerts(settings_of(app_config).alerts, source=str(source))


def _of_file(values: Mapping[str, Any], source: str) -> OperationsConfig:
    """A file may hold other parts' tables; one that was meant for us must not be passed over in silence."""
    for key in values:
        if key != TABLE and (key in OWN_KEYS[1:] or "did you mean" in nearest(key, [TABLE])):
            meant = f"`[{TABLE}.{key}]`" if key in OWN_KEYS else f"`[{TABLE}]`"
            raise ConfigRefused(f"{source}: unknown key `{key}`; did you mean {meant}?", key=key, source=source)
    return _of_program(values, source)


def _of_program(values: Mapping[str, Any], source: str) -> OperationsConfig:
    table = _plain(values.get(TABLE))
    if table is not None and not isinstance(table, Mapping):
        raise ConfigRefused(f"{source}: {TABLE}: expected a table, was {table!r}", key=TABLE, source=source)
    return _built(table or {}, source, values.get("data_dir"), (TABLE,))


def _built(table: Mapping[str, Any], source: str, data_dir: object, path: tuple[str, ...]) -> OperationsConfig:
    try:
        config = build(OperationsConfig, _plain(table), source=source)
    except ConfigRefused as error:
        key = str(error.facts.get("key", ""))
        full = ".".join((*path, key))
        message = error.message.replace(f"`{key}`", f"`{full}`").replace(f"{source}: {key}:", f"{source}: {full}:")
        raise ConfigRefused(message, key=full, source=source) from None
    return _with_data_dir(config, data_dir, source)


def _with_data_dir(config: OperationsConfig, data_dir: object, source: str = "") -> OperationsConfig:
    if data_dir is not None and not isinstance(data_dir, str | os.PathLike):
        raise ConfigRefused(f"{source}: data_dir: expected a path, was {data_dir!r}", key="data_dir", source=source)
    chosen = config.data_dir or (os.fspath(data_dir) if data_dir else "data")
    return msgspec.structs.replace(config, data_dir=str(chosen))


def _attributes(settings: object) -> dict[str, Any]:
    """Read only attributes of our names: everything else on the object is the program's own business."""
    table = getattr(settings, TABLE, None)
    found = {"data_dir": getattr(settings, "data_dir", None)}
    if table is not None:
        return {**found, TABLE: table}
    own = {name: getattr(settings, name) for name in OWN_KEYS[1:] if getattr(settings, name, None) is not None}
    return {**found, TABLE: own}


def _plain(value: Any) -> Any:
    """Return structs, dataclasses, pydantic models and plain objects as mappings, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, msgspec.Struct):
        return {field.encode_name: _plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(exclude_unset=True))
    if hasattr(value, "__dict__") and not callable(value):
        return _plain({key: inner for key, inner in vars(value).items() if not key.startswith("_")})
    return value
