"""Every module opens with one line that says what it is."""

from __future__ import annotations

import ast
from pathlib import Path

LONGEST_CAPTION = 114  # one line of 120 with its quotes; aim at 90


def caption_fault(source: str) -> str | None:
    """Return what is wrong with the caption of a module, or None."""
    tree = ast.parse(source)
    if not tree.body:
        return None
    text = ast.get_docstring(tree)
    if not text:
        return "has no caption"
    before = [line for line in source.splitlines()[: tree.body[0].lineno - 1] if not line.startswith("#!")]
    if before:
        return "says something before its caption"
    first = text.splitlines()[0]
    return f"has a caption of {len(first)} characters" if len(first) > LONGEST_CAPTION else None


def test_every_python_file_opens_with_a_short_caption(root: Path, tracked: tuple[Path, ...]) -> None:
    faults = {
        str(path.relative_to(root)): fault
        for path in tracked
        if path.suffix == ".py" and (fault := caption_fault(path.read_text(encoding="utf-8")))
    }

    assert {} == faults


def test_a_missing_late_or_long_caption_is_found() -> None:
    assert "has no caption" == caption_fault("x = 1\n")
    assert "says something before its caption" == caption_fault('# licence\n"""What it is."""\n')
    assert "has a caption of 115 characters" == caption_fault(f'"""{"x" * 115}"""\n')
    assert caption_fault('#!/usr/bin/env python3\n"""What it is."""\n') is None
    assert caption_fault("") is None
