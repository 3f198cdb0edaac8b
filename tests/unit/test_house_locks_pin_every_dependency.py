"""What `make` installs is pinned to the byte, and what runs needs nothing of what tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; .+)?$")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the pinned versions of each package; raise ValueError for a line without pin or hash."""
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        head, *hashes = [line.strip().rstrip(" \\") for line in entry.splitlines()]
        pinned = PINNED.match(head)
        if pinned is None or not hashes or not all(HASH.fullmatch(line) for line in hashes):
            raise ValueError(f"expected a pin with hashes, was {head!r}")
        found.setdefault(pinned[1], set()).add(pinned[2])
    return found


def entries(lock: Path) -> list[str]:
    """Return the lock's requirements, each with its indented hash lines."""
    return re.split(r"\n(?=\S)", lock.read_text().strip())


def declared(root: Path, group: str | None = None) -> set[str]:
    """Return the package names the project itself asks for, or one of its groups does."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wanted = project["dependency-groups"][group] if group else project["project"]["dependencies"]
    return {re.split(r"[<>=~;\[ ]", line)[0] for line in wanted if isinstance(line, str)}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_entry_is_a_version_with_hashes(root: Path, name: str) -> None:
    assert len(pins(root / name)) > len(declared(root))


def test_the_runtime_lock_holds_what_the_program_asks_for_and_no_test_tool(root: Path) -> None:
    locked = pins(root / "requirements.lock").keys()

    assert declared(root) | declared(root, "build") <= locked
    assert declared(root, "dev").isdisjoint(locked)


def test_the_test_lock_is_the_runtime_lock_and_more(root: Path) -> None:
    runtime = pins(root / "requirements.lock")
    tests = pins(root / "requirements-dev.lock")

    assert runtime == {name: tests.get(name) for name in runtime}
    assert declared(root, "dev") <= tests.keys()


@pytest.mark.parametrize("line", ["apsw>=3.54", "apsw==3.54.1.0", "apsw @ file:///tmp/apsw.whl"])
def test_an_entry_without_pin_or_hash_is_found(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"{line}\n")

    with pytest.raises(ValueError, match="expected a pin with hashes"):
        pins(lock)
