"""The program imports only what it declares, not what another package happens to bring."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

OWN = {"trading_orchestrator"}
# FastAPI hands out Starlette's classes as its own and pins the two together.
PART_OF = {"starlette": "fastapi"}
IMPORTED_AS = {"markdown_it_py": "markdown_it"}


def imported_by(source: str) -> set[str]:
    """Return the top-level names of the packages that a module imports absolutely."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - OWN


def declared(root: Path) -> set[str]:
    """Return the packages the project asks for, spelled as they are imported."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~;\[ ]", line)[0].replace("-", "_") for line in project["dependencies"]}
    return {IMPORTED_AS.get(name, name) for name in names}


def sources(root: Path, tracked: tuple[Path, ...]) -> list[Path]:
    """Return the program's own modules."""
    return [path for path in tracked if path.suffix == ".py" and path.is_relative_to(root / "src")]


def test_every_import_of_the_program_is_declared(root: Path, tracked: tuple[Path, ...]) -> None:
    allowed = declared(root)
    undeclared = {
        str(path.relative_to(root)): foreign
        for path in sources(root, tracked)
        if (foreign := {PART_OF.get(name, name) for name in imported_by(path.read_text())} - allowed)
    }

    assert {} == undeclared


def test_an_undeclared_import_is_found() -> None:
    source = (
        "import os.path\nimport jinja2.ext\nfrom starlette import x\nfrom . import y\nimport trading_orchestrator.app\n"
    )

    assert {"jinja2", "starlette"} == imported_by(source)
