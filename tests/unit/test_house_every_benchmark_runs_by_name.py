"""`make bench` calls every table's `main` without an argument: one that wanted more ended the whole run."""

from __future__ import annotations

import importlib
import inspect

import pytest

from benchmarks.__main__ import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_made_without_arguments(name: str) -> None:
    main = importlib.import_module(f"benchmarks.{name}").main
    demanded = [each.name for each in inspect.signature(main).parameters.values() if each.default is each.empty]

    assert ([], False) == (demanded, inspect.iscoroutinefunction(main))
