"""The release that a node says it runs is the one that is packaged."""

from __future__ import annotations

import tomllib
from pathlib import Path

import trading_orchestrator


def test_the_package_says_the_version_that_it_is_built_as(root: Path) -> None:
    built = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))

    assert built["project"]["version"] == trading_orchestrator.__version__
