"""Every fault F1 to F41 stands in docs/what-happens-when.md with a test that exists: the table cannot drift."""

from __future__ import annotations

import re
from pathlib import Path

TABLE = "docs/what-happens-when.md"
FAULTS = range(1, 42)
NUMBER = re.compile(r"\bF(\d+)\b")
EVIDENCE = re.compile(r"([VSJ]) `([\w/.]+\.py)::(\w+)`")


def rows(root: Path) -> list[tuple[set[int], list[tuple[str, str, str]]]]:
    """Return the faults of each row with its evidence: what it runs against, file and test."""
    found = []
    for line in (root / TABLE).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| F"):
            found.append(({int(number) for number in NUMBER.findall(cells[0])}, EVIDENCE.findall(cells[-1])))
    return found


def test_no_fault_is_left_out(root: Path) -> None:
    assert set(FAULTS) == {number for numbers, _ in rows(root) for number in numbers}


def test_every_row_names_a_test_that_exists(root: Path) -> None:
    without = [numbers for numbers, evidence in rows(root) if not evidence]
    missing = [
        f"{file}::{test}"
        for _, evidence in rows(root)
        for _, file, test in evidence
        if not (root / file).is_file() or f"def {test}(" not in (root / file).read_text()
    ]

    assert ([], []) == (without, missing)


def test_a_test_that_bears_a_number_is_evidence_for_that_number(root: Path) -> None:
    wrong = [
        test
        for numbers, evidence in rows(root)
        for _, _, test in evidence
        if (borne := {int(number) for number in re.findall(r"_f(\d\d)(?=_)", test)}) and not borne & numbers
    ]

    assert [] == wrong
