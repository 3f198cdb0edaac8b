"""Packages come from where the machine's configuration says: no file names a registry."""

from __future__ import annotations

import re
from pathlib import Path

# In pieces, so that this file does not name them either.
HOSTS = tuple(
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("jsdelivr", "net"),
        ("unpkg", "com"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    ]
)
NAMED = re.compile("|".join(re.escape(host) for host in HOSTS))
SETTING = re.compile(r"^\s*(?:-i|--(?:extra-)?index-url|--find-links|--trusted-host)[ =]", re.MULTILINE)


def test_no_tracked_file_names_a_registry_host(root: Path, tracked: tuple[Path, ...]) -> None:
    named = {
        str(path.relative_to(root)): found.group()
        for path in tracked
        if (found := NAMED.search(path.read_bytes().decode("utf-8", errors="ignore")))
    }

    assert {} == named


def test_no_lock_overrules_the_machines_own_package_source(root: Path) -> None:
    overruling = [path.name for path in root.glob("requirements*.lock") if SETTING.search(path.read_text())]

    assert [] == overruling


def test_a_named_host_is_found() -> None:
    assert NAMED.search("https://files." + HOSTS[1] + "/packages/x.whl") is not None
    assert SETTING.search("--index-url https://example.test/simple") is not None
