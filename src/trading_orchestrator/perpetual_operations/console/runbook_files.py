"""The runbooks as they ship: in a wheel inside the package, in the repository beside `src`."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
ROOT = "trading_orchestrator"


def runbook_text(name: str) -> str | None:
    """Return a runbook's Markdown, or None when none has this name; no other file can be named."""
    if NAME.fullmatch(name) is None:
        return None
    package = Path(str(files(ROOT)))
    for folder in (package / "runbooks", package.parent.parent / "runbooks"):
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None
