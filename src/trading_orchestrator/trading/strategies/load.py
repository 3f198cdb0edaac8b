"""A strategy's class by its import path "package.module:Class", and its parameters from the config."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from trading_orchestrator.kernel.config import ConfigRefused, build, nearest
from trading_orchestrator.trading.strategies.strategy import Floor, Strategy, StrategyParams, StrategyState, Wants

AnyStrategy = Strategy[Any, Any]


class LoadedStrategy(NamedTuple):
    """A class, the parameters it will be built with, and the symbols of its desk."""

    kind: type[AnyStrategy]
    params: StrategyParams
    symbols: Sequence[str] = ()

    def build(self, name: str, state: StrategyState, floor: Floor | None = None) -> AnyStrategy:
        """Return the strategy; without a floor it can be asked, but not act."""
        strategy = self.kind(name, self.params, state, floor)
        strategy.desk_symbols = self.symbols
        return strategy

    def wants(self, name: str) -> Wants:
        """Return what it asks the desk for."""
        return self.build(name, self.kind.State()).wants()


def load_strategy(path: str, params: Mapping[str, Any], *, symbols: Sequence[str] = (), source: str) -> LoadedStrategy:
    """Return the class at `path` ("package.module:Class") and its parameters.

    Args:
        symbols: those of its desk.
        source: where the config stands, for messages.

    Raises:
        ConfigRefused: no such module or class (the nearest is named), one that cannot be imported (its file and line
            are), not a strategy, or a wrong parameter.
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
    if not _is_strategy(kind):
        raise ConfigRefused(
            f"{source}: class: expected a subclass of Strategy, was `{path}`", key="class", source=source
        )
    with its_own_code(f"{source}: params"):
        return LoadedStrategy(kind, build(kind.Params, params, source=f"{source}: params", endless=True), symbols)


@contextlib.contextmanager
def its_own_code(source: str) -> Iterator[None]:
    """Run code of a strategy's author while a config is read: what it raises is a sentence with file and line.

    Raises:
        ConfigRefused: whatever was raised inside, and was none already.
    """
    try:
        yield
    except ConfigRefused:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigRefused(f"{source}: {_in_words(error)}", key="class", source=source) from error


def _in_words(error: BaseException) -> str:
    """Return what was raised and where: the line that is no Python, or the last one of the author's that ran."""
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    ran = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    own = [frame for frame in ran if frame.name == "<module>"] or ran
    return f"{own[-1].filename}, line {own[-1].lineno}: {said}"


def _module(name: str, path: str, source: str) -> ModuleType:
    try:
        with its_own_code(f"{source}: class: `{path}` cannot be imported"):
            return importlib.import_module(name)
    except ConfigRefused as refused:
        error = refused.__cause__
        if not isinstance(error, ModuleNotFoundError):
            raise
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
    return [name for name, value in vars(module).items() if _is_strategy(value)]


def _is_strategy(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
