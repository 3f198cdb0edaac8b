"""The front door tells the truth: paths, targets and commands in the documents exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TARGETS_PROMISED = {"setup", "run", "test", "check", "bench", "lock"}
TARGET = re.compile(r"^([a-z-]+):.*?(## \S.*)?$", re.MULTILINE)
ASKED_OF_MAKE = re.compile(r"(?:^|[`;&] ?)make ([a-z-]+)", re.MULTILINE)
ASKED_OF_PROGRAM = re.compile(r"(?:^|[/`])trading-orchestrator ([a-z]+)", re.MULTILINE)
IN_BACKTICKS = re.compile(r"`([^`\s]+)`")
IN_LINKS = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
CODE = Path("src/trading_orchestrator")


def targets(makefile: str) -> dict[str, bool]:
    """Return each target of a Makefile and whether it explains itself."""
    return {found[1]: bool(found[2]) for found in TARGET.finditer(makefile)}


def paths_in(document: str) -> set[str]:
    """Return what a document names as a place: something in backticks with a slash, or a relative link."""
    quoted = {word for word in IN_BACKTICKS.findall(document) if "/" in word}
    return {word for word in quoted | set(IN_LINKS.findall(document)) if re.fullmatch(r"[\w./-]+", word)}


def missing_from(root: Path, words: set[str]) -> list[str]:
    """Return the places that are neither in the tree nor in the package; `/paths` belong to the web."""
    made_later = {
        "/",
        *(line.strip("/") + "/" for line in (root / ".gitignore").read_text().splitlines() if line.endswith("/")),
    }
    named = sorted(word for word in words if not word.startswith(tuple(made_later)))
    return [word for word in named if not (root / word).exists() and not (root / CODE / word).exists()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_place_a_document_names_exists(root: Path, name: str) -> None:
    assert [] == missing_from(root, paths_in((root / name).read_text()))


def test_every_place_a_decision_links_to_exists(root: Path) -> None:
    decisions = sorted((root / "docs" / "adr").glob("*.md"))
    missing = {
        path.name: gone
        for path in decisions
        if (
            gone := missing_from(
                root, {str((path.parent / link).relative_to(root)) for link in IN_LINKS.findall(path.read_text())}
            )
        )
    }

    assert len(decisions) > 0
    assert {} == missing


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_a_document_names_exists(root: Path, name: str) -> None:
    asked = set(ASKED_OF_MAKE.findall((root / name).read_text()))

    assert asked <= targets((root / "Makefile").read_text()).keys()


def test_the_makefile_keeps_its_promised_targets_and_explains_each(root: Path) -> None:
    found = targets((root / "Makefile").read_text())

    assert found.keys() >= TARGETS_PROMISED
    assert [] == [name for name, explained in found.items() if not explained]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_a_document_names_has_its_file(root: Path, name: str) -> None:
    folder = root / CODE / "cli"
    if not folder.is_dir():
        pytest.skip("the command line is not in the tree yet")
    commands = {path.stem.removesuffix("_command") for path in folder.glob("*.py")}

    assert set(ASKED_OF_PROGRAM.findall((root / name).read_text())) <= commands


def test_what_does_not_exist_is_found(root: Path) -> None:
    text = "Copy `brokers/nowhere/`, see [it](docs/gone.md) or /api/docs, then `make fly`."

    assert ["brokers/nowhere/", "docs/gone.md"] == missing_from(root, paths_in(text))
    assert ["fly"] == ASKED_OF_MAKE.findall(text)
    assert {"fly": False, "land": True} == targets("fly: setup\nland: ## come down\n")
