"""One ccxt.pro exchange class without importing the other hundred.

`ccxt`, `ccxt.async_support` and `ccxt.pro` are packages whose `__init__` imports every exchange: 0.53 s and
109 MB where one exchange needs 0.2 s and 48 MB (benchmarks/ccxt_import.py measures it again). We put faces
in their place that import a submodule only when it is asked for, and that become the whole package as soon as
anybody asks for a name they cannot find, so other users of ccxt in the process see no difference.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from trading_orchestrator.brokers.ccxt.requests_later import import_base

# Where the names live that ccxt's own submodules take from these packages.
_HOMES = {
    "ccxt": ("ccxt.base.errors", "ccxt.base.exchange", "ccxt.base.decimal_to_precision", "ccxt.base.precise"),
    "ccxt.async_support": ("ccxt.async_support.base.exchange",),
    "ccxt.pro": ("ccxt.async_support.base.exchange",),
}


class _Face(ModuleType):
    """A package that has not run its `__init__` yet."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds a submodule to its parent; the real packages then rebind the name to the class.
        if isinstance(value, ModuleType) and isinstance(value.__dict__.get(name), type):
            value = value.__dict__[name]
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for home in _HOMES[self.__name__]:
            found = getattr(importlib.import_module(home), name, None)
            if found is not None:
                return found
        if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            importlib.import_module(f"{self.__name__}.{name}")
            return self.__dict__[name]
        self._become_whole()
        return getattr(self, name)

    def _become_whole(self) -> None:
        self.__class__ = ModuleType  # type: ignore[assignment]  # allowed between module types
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)


def exchange_class(exchange: str) -> type[Any]:
    """Return the ccxt.pro class of the exchange, or ccxt's REST-only class where it has no streams.

    Raises:
        LookupError: ccxt has no such exchange.
    """
    if "ccxt" not in sys.modules:
        try:
            return _lean(exchange)
        except LookupError:
            raise
        except Exception:  # noqa: BLE001  a ccxt laid out differently: whatever went wrong, import it as it wants
            for name in [name for name in sys.modules if name.partition(".")[0] == "ccxt"]:
                del sys.modules[name]
    return _plain(exchange)


def _lean(exchange: str) -> type[Any]:
    for name in _HOMES:
        _put_face(name)
    import_base()
    return _find(exchange)


def _put_face(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise LookupError(name)
    face = importlib.util.module_from_spec(spec)
    face.__class__ = _Face
    sys.modules[name] = face
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, face)


def _find(exchange: str) -> type[Any]:
    for package in ("ccxt.pro", "ccxt.async_support"):
        if importlib.util.find_spec(f"{package}.{exchange}") is not None:
            found = getattr(importlib.import_module(f"{package}.{exchange}"), exchange)
            assert isinstance(found, type)
            return found
    raise LookupError(exchange)


def _plain(exchange: str) -> type[Any]:
    importlib.import_module("ccxt.pro")
    return _find(exchange)
