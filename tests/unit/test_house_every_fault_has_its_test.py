"""Every fault F1 to F41 stands in docs/what-happens-when.md with a test that bears its number: no table drifts."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from trading_orchestrator.simulation.faults import FaultKind

TABLE = "docs/what-happens-when.md"
FAULTS = range(1, 42)
NUMBER = re.compile(r"\bF(\d+)\b")
BORNE = re.compile(r"(?<![a-z\d])f(\d{1,2})(?![a-z\d])", re.IGNORECASE)
EVIDENCE = re.compile(r"(venue process|whole system|journal|unit) `([\w/.]+\.py)::(\w+)`")
SIMULATED = re.compile(r"simulation `(\w+)`")
RUNS_AGAINST = {
    "venue process": ("Scene",),
    "whole system": ("RunningSystem", "running_system"),
    "journal": ("open_store",),
    "unit": (),
}
"""What the file of such a test cannot do without."""


class Row(NamedTuple):
    """A line of the table: its faults, its tests as (against what, file, test), and its kinds of simulated faults."""

    faults: set[int]
    tests: list[tuple[str, str, str]]
    simulated: list[str]


def rows(root: Path) -> list[Row]:
    found = []
    for line in (root / TABLE).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| F"):
            numbers = {int(number) for number in NUMBER.findall(cells[0])}
            found.append(Row(numbers, EVIDENCE.findall(cells[-1]), SIMULATED.findall(cells[-1])))
    return found


def borne(source: str, test: str) -> set[int]:
    """Return the faults that a test names in its name, its parameters or its docstring; else those of its module."""
    tree = ast.parse(source)
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    function = next((node for node in functions if node.name == test), None)
    if function is None:
        return set()
    decorators = [ast.get_source_segment(source, node) or "" for node in function.decorator_list]
    said = " ".join([test.replace("_", " "), *decorators, ast.get_docstring(function) or ""])
    return numbers_in(said) or numbers_in(ast.get_docstring(tree) or "")


def numbers_in(text: str) -> set[int]:
    return {int(number) for number in BORNE.findall(text)}


def test_no_fault_is_left_out(root: Path) -> None:
    assert set(FAULTS) == {number for row in rows(root) for number in row.faults}


def test_each_fault_of_a_row_has_a_test_that_bears_its_number(root: Path) -> None:
    without = []
    for row in rows(root):
        shown = {number for _, file, test in row.tests for number in borne((root / file).read_text(), test)}
        without += [f"F{number}: no test of its row bears it" for number in sorted(row.faults - shown)]

    assert [] == without


def test_each_test_of_a_row_exists_and_bears_one_of_its_faults(root: Path) -> None:
    wrong = [
        f"{file}::{test} of the row {sorted(row.faults)}"
        for row in rows(root)
        for _, file, test in row.tests
        if not (root / file).is_file() or not borne((root / file).read_text(), test) & row.faults
    ]

    assert [] == wrong


def test_each_test_runs_against_what_the_table_says(root: Path) -> None:
    wrong = [
        f"{file} is no test against the {against}"
        for row in rows(root)
        for against, file, _ in row.tests
        if (against == "unit") != file.startswith("tests/unit/")
        or (RUNS_AGAINST[against] and not any(word in (root / file).read_text() for word in RUNS_AGAINST[against]))
    ]

    assert [] == wrong


def test_each_simulated_kind_exists_and_is_about_a_fault_of_its_row(root: Path) -> None:
    numbers = {kind.name: {int(number) for number in NUMBER.findall(kind.value)} for kind in FaultKind}
    wrong = [
        f"{name} in the row {sorted(row.faults)}"
        for row in rows(root)
        for name in row.simulated
        if not numbers.get(name, set()) & row.faults
    ]

    assert [] == wrong


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""F1."""\ndef test_f07_and_f8(): ...\n', {7, 8}),
        ('"""F1."""\n@each("F2", id="f19-half-open")\ndef test_it(): ...\n', set()),
        ('"""F1."""\n@each("F2", id="f19-half-open")\ndef test_f07_and_f8():\n    """Also F3."""\n', {2, 3, 7, 8, 19}),
        ('"""F1 alone."""\ndef test_f07_and_f8(): ...\n', {7, 8}),
        ('"""F1 alone."""\ndef test_another(): ...\n', set()),
    ],
)
def test_a_number_is_borne_by_name_parameters_or_docstring(source: str, expected: set[int]) -> None:
    assert expected == borne(source, "test_f07_and_f8")


def test_a_test_without_a_number_bears_those_of_its_module() -> None:
    assert {29} == borne('"""F29: a stop."""\ndef test_it(): ...\n', "test_it")
