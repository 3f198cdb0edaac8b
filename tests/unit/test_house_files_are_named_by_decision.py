"""A file is named by the decision it holds, never by the kind of code in it."""

from __future__ import annotations

from pathlib import Path

NAMES_OF_KIND = frozenset(
    ["base", "common", "constants", "core", "helper", "helpers", "misc", "mixins", "models", "shared", "util", "utils"]
)


def test_no_module_and_no_folder_is_named_by_its_kind(root: Path, tracked: tuple[Path, ...]) -> None:
    python = [path.relative_to(root) for path in tracked if path.suffix == ".py"]
    named_by_kind = [str(path) for path in python if NAMES_OF_KIND & {*path.parts[:-1], path.stem.lstrip("_")}]

    assert [] == named_by_kind


def test_every_test_file_is_a_promise_in_words(root: Path, tracked: tuple[Path, ...]) -> None:
    tests = [path for path in tracked if path.is_relative_to(root / "tests") and path.name.startswith("test_")]
    too_short = [path.name for path in tests if path.stem.count("_") < 2]

    assert [] == too_short
