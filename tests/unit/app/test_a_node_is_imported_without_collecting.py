"""Nothing of a node is imported while the collector still looks through what stays."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from trading_orchestrator.app import __main__ as entry


def test_the_collector_rests_before_the_node_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    collected_at_import: list[bool] = []

    class Node(ModuleType):
        @property
        def main(self) -> Callable[[], int]:
            collected_at_import.append(gc.isenabled())
            return lambda: 7

    monkeypatch.setitem(sys.modules, "trading_orchestrator.app.node_process", Node("node_process"))
    try:
        code = entry.main()
    finally:
        gc.enable()

    assert (7, [False]) == (code, collected_at_import)
