"""A strategy's class by its import path "package.module:Class", and its parameters from the config."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

from trading_orchestrator.kernel.config import ConfigRefused, build, nearest
from trading_orchestrator.trading.strategies.strategy import Floor, Strategy, StrategyParams, StrategyState, Wants

AnyStrategy = Strategy[Any, Any]


class LoadedStrategy(NamedTuple):
    """A class and the parameters it will be built with."""

    kind: type[AnyStrategy]
    params: StrategyParams

    def build(self, name: str, state: StrategyState, floor: Floor | None = None) -> AnyStrategy:
        """Return the strategy; without a floor it can be asked, but not act."""
        return self.kind(name, self.params, state, floor)

    def wants(self, name: str) -> Wants:
        """Return what it asks the desk for."""
        return self.build(name, self.kind.State()).wants()


def load_strategy(path: str, params: Mapping[str, Any], *, source: str) -> LoadedStrategy:
    """Return the class at `path` ("package.module:Class") and its parameters.

    Args:
        source: where the config stands, for messages.

    Raises:
        ConfigRefused: no such module or class (the nearest is named), not a strategy, or a wrong parameter.
    """
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name:
        raise ConfigRefused(
            f"{source}: class: expected `package.module:Class`, was `{path}`", key="class", source=source
        )
    module = _module(module_name, path, source)
    kind = getattr(module, class_name, None)
    if kind is None:
        known = nearest(class_name, _strategies_in(module)) if _strategies_in(module) else "it has no strategy"
        raise ConfigRefused(
            f"{source}: class: module `{module_name}` has no `{class_name}`; {known}", key="class", source=source
        )
    if not (isinstance(kind, type) and issubclass(kind, Strategy) and hasattr(kind, "Params")):
        raise ConfigRefused(
            f"{source}: class: expected a subclass of Strategy[Params, State], was `{path}`", key="class", source=source
        )
    return LoadedStrategy(kind, build(kind.Params, params, source=f"{source}: params"))


def _module(name: str, path: str, source: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigRefused(
                f"{source}: class: `{path}` needs the module `{error.name}`, which is not installed",
                key="class",
                source=source,
            ) from error
        raise ConfigRefused(
            f"{source}: class: no module `{name}`; {_near_modules(name)}", key="class", source=source
        ) from None


def _near_modules(name: str) -> str:
    """Return the hint for the first part of `name` that cannot be imported."""
    package, _, last = name.rpartition(".")
    if not package:
        return "is its folder on the path (PYTHONPATH) or its package installed?"
    try:
        parent = importlib.import_module(package)
    except ModuleNotFoundError:
        return _near_modules(package)
    return nearest(last, [found.name for found in pkgutil.iter_modules(getattr(parent, "__path__", []))])


def _strategies_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and hasattr(value, "Params")
    ]
