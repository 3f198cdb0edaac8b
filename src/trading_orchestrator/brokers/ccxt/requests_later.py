"""ccxt without `requests` until an exchange that blocks is made: 45 ms and 6 MB, of no use to asyncio.

`ccxt.base.exchange` takes a handful of names from it. The asyncio exchanges stand on that module too, and use of them
only the one by which ccxt names itself to a venue. So it is lent others while it is imported, and gets the real ones
when the first blocking exchange opens its session (one that is handed a session goes without). Nobody else sees them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_BASE = "ccxt.base.exchange"
_ERRORS = ("HTTPError", "Timeout", "TooManyRedirects", "RequestException", "ConnectionError")
_VERSION = "requests.__version__"


def import_base() -> None:
    """Import what all exchanges of ccxt stand on; nothing is lent where `requests` is here already.

    Raises:
        ImportError: this ccxt takes other names from `requests`; import it as it wants.
    """
    spec = importlib.util.find_spec("requests")
    if spec is None or "requests" in sys.modules:
        importlib.import_module(_BASE)
        return
    package, utils, errors = lent = [ModuleType(f"requests{part}") for part in ("", ".utils", ".exceptions")]
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules.update({module.__name__: module for module in lent})
    try:
        said = f"python-requests/{importlib.import_module(_VERSION).__version__}"
        vars(package).update(Session=_open_session)
        vars(utils).update(default_user_agent=lambda: said)
        vars(errors).update({name: type(name, (Exception,), {"__module__": __name__}) for name in _ERRORS})
        vars(importlib.import_module(_BASE)).update(_lent=lent)
    finally:
        for name in (*(module.__name__ for module in lent), _VERSION):
            sys.modules.pop(name, None)


def _open_session() -> Any:
    """Give the module what it asked for, then do as `requests.Session` does."""
    base = vars(sys.modules[_BASE])
    for module in base.pop("_lent", ()):
        real = importlib.import_module(module.__name__)
        for name, value in vars(module).items():
            if not name.startswith("__"):
                base.update({alias: getattr(real, name) for alias, taken in base.items() if taken is value})
    return base["Session"]()
