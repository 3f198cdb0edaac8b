"""`version`: the release, and the libraries whose versions decide whether data is safe."""

from __future__ import annotations

import json
import platform
from importlib import metadata

from trading_orchestrator.cli.options import JsonOption


def version(as_json: JsonOption = False) -> None:
    """Print the version of the program and of what its safety rests on."""
    import apsw

    found = {
        "trading-orchestrator": metadata.version("trading-orchestrator"),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "ccxt": metadata.version("ccxt"),
    }
    print(json.dumps(found) if as_json else "\n".join(f"{name} {number}" for name, number in found.items()))
