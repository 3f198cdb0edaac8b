"""Importing the wing's face, or what a trading node needs of it, loads no web stack."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"fastapi", "starlette", "uvicorn", "pydantic", "prometheus_client", "psutil", "apsw", "numpy"}


def loaded_by(module: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter holds after the import."""
    said = subprocess.run(
        [sys.executable, "-c", f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(said.stdout.split())


def test_the_face_loads_nothing_heavy() -> None:
    assert set() == HEAVY & loaded_by("trading_orchestrator.perpetual_operations")


@pytest.mark.parametrize("module", ["console.server", "manager"])
def test_a_node_that_trades_first_does_not_load_the_web(module: str) -> None:
    loaded = loaded_by(f"trading_orchestrator.perpetual_operations.{module}")

    assert set() == (HEAVY - {"psutil"}) & loaded
