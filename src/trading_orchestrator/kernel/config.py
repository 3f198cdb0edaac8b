"""Config files into frozen structs: an unknown key stops the start and names the nearest one."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.bounds import fault_of

T = TypeVar("T")


class ConfigRefused(Refused):
    """The configuration cannot be used as written. Facts: key, source."""

    code = "config.refused"


def read_toml(path: Path) -> dict[str, Any]:
    """Return the file as a mapping.

    Raises:
        ConfigRefused: missing, unreadable or not TOML; the message names file, line and what to do.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigRefused(
            f"config file {path} does not exist; write one with: trading-orchestrator init {path}", source=str(path)
        ) from None
    except OSError as error:
        raise ConfigRefused(f"config file {path} cannot be read: {error.strerror}", source=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigRefused(
            f"config file {path} is not valid TOML: expected UTF-8, was the byte 0x{error.object[error.start]:02x} "
            f"in line {line}; save the file as UTF-8",
            source=str(path),
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise ConfigRefused(f"config file {path} is not valid TOML: {error}", source=str(path)) from None


def build(kind: type[T], values: Mapping[str, Any], *, source: str, endless: bool = False) -> T:
    """Return `values` as the struct `kind`, whose classes say `forbid_unknown_fields=True`.

    Args:
        endless: a number whose type sets no bound may be endless.

    Raises:
        ConfigRefused: a key is unknown (the nearest known one is named), missing, or of the wrong type or range; no
            number may be nan or, unless `endless` lets it, endless.
    """
    _refuse_unfit(kind, values, (), source, endless)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        said, _, key = str(error).removesuffix("`").partition(" - at `$")
        key = _with_names(kind, values, key).removeprefix(".") or "the top level"
        raise ConfigRefused(f"{source}: {key}: {said[0].lower()}{said[1:]}", key=key, source=source) from None


def environment(prefix: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the variables `PREFIX_A__B=x` as {"a": {"b": "x"}}: they override the file key by key.

    Raises:
        ConfigRefused: one variable gives a value to what another one takes for a table.
    """
    found: dict[str, Any] = {}
    for name, value in sorted((os.environ if environ is None else environ).items()):
        if not name.startswith(f"{prefix}_"):
            continue
        *path, last = name.removeprefix(f"{prefix}_").lower().split("__")
        at: Any = found
        for key in path:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at
        if not isinstance(at, dict) or isinstance(at.get(last), dict):
            raise ConfigRefused(
                f"environment: {name} and another variable disagree: one gives a value to what is a table for the "
                "other; unset one of them",
                key=".".join((*path, last)),
                source="environment",
            )
        at[last] = value
    return found


def variable(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return one environment variable, for secrets that config names by reference."""
    return (os.environ if environ is None else environ).get(name)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings as one, deeply; `above` wins."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both_mappings = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both_mappings else value  # type: ignore[arg-type]  # both are, see above
    return result


def nearest(name: str, known: list[str]) -> str:
    """Return " (did you mean `x`?)" or the list of what is known."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(sorted(known))}"


def _refuse_unfit(kind: Any, value: Any, path: tuple[str, ...], source: str, endless: bool) -> None:
    """Walk type and value side by side, so that the message can name the key as it stands in the file."""
    fault = fault_of(value, kind, endless=endless)
    if fault is not None:
        key = ".".join(path)
        raise ConfigRefused(f"{source}: {key}: {fault}", key=key, source=source)
    kind = _container_of(kind)
    if _is_struct(kind) and isinstance(value, Mapping):
        hints = _types_by_key(kind)
        for name, inner in value.items():
            if name not in hints:
                key = ".".join((*path, name))
                raise ConfigRefused(
                    f"{source}: unknown key `{key}`; {nearest(name, list(hints))}", key=key, source=source
                )
            _refuse_unfit(hints[name], inner, (*path, name), source, endless)
    elif isinstance(value, Mapping) and get_origin(kind) is dict:
        for name, inner in value.items():
            _refuse_unfit(get_args(kind)[1], inner, (*path, name), source, endless)
    elif isinstance(value, list) and get_args(kind):
        for index, inner in enumerate(value):
            _refuse_unfit(get_args(kind)[0], inner, (*path, str(index)), source, endless)


def _with_names(kind: Any, value: Any, key: str) -> str:
    """Return msgspec's path with the names of the tables' entries, each of which it calls `[...]`."""
    before, unnamed, after = key.partition("[...]")
    if not unnamed:
        return key
    for part in re.findall(r"[^.\[\]]+", before):
        if isinstance(value, list | tuple):
            kind, value = get_args(kind)[0], value[int(part)]
        elif _is_struct(kind) and part in _types_by_key(kind):
            kind, value = _types_by_key(kind)[part], value[part]
        else:
            return key  # one of several structs: which, only msgspec knows
        kind = _container_of(kind)
    entry = _container_of(get_args(kind)[1])
    for name, inner in value.items():
        try:
            msgspec.convert(inner, entry, strict=False)
        except msgspec.ValidationError:
            return f"{before}.{name}{_with_names(entry, inner, after)}"
    return key


@cache  # a standby reads its alerts' files while it may have to take a desk
def _types_by_key(kind: Any) -> Mapping[str, Any]:
    """Return the types by the keys as they stand in a file: a field may be renamed there (`class_` → `class`)."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}


def _container_of(kind: Any) -> Any:
    """Return the type without what is said of it; of several, the one that has keys of its own, else the first."""
    if get_origin(kind) is Annotated:
        return _container_of(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        members = [_container_of(arg) for arg in get_args(kind)]
        return next((each for each in members if _is_struct(each)), members[0])
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
