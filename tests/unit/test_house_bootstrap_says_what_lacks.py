"""A machine that lacks something is told in one sentence; root on Debian gets it installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "apt-get update && apt-get install -y python3-venv"

PYTHON = """#!/bin/sh
case "$*" in
    -V) echo "Python $FAKE_VERSION" ;;
    *version_info*) case "$FAKE_VERSION" in 3.9*) exit 1 ;; esac ;;
    *ensurepip*) [ -e "$FAKE_STATE/venv-installed" ] ;;
    *"-m venv"*) echo "made an environment" >>"$FAKE_STATE/calls"; exit 1 ;;
esac
"""
ID = '#!/bin/sh\necho "$FAKE_UID"\n'
APT = """#!/bin/sh
echo "apt-get $*" >>"$FAKE_STATE/calls"
case "$*" in *install*) [ -z "$FAKE_APT_FAILS" ] && touch "$FAKE_STATE/venv-installed" ;; esac
"""


@dataclass(frozen=True)
class Machine:
    """A copy of the bootstrap on a machine whose python3, id and apt-get are scripts of ours."""

    folder: Path

    def bootstrap(self, version: str = "3.11.2", uid: int = 0, apt_fails: str = "") -> subprocess.CompletedProcess[str]:
        """Run it and return what it said."""
        env = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "FAKE_STATE": str(self.folder),
            "FAKE_VERSION": version,
            "FAKE_UID": str(uid),
            "FAKE_APT_FAILS": apt_fails,
        }
        command = [str(self.folder / "scripts" / "bootstrap"), "requirements.lock"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """What was done to the machine, in order."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    for name in ["scripts/bootstrap", "requirements.lock", "requirements-dev.lock", "pyproject.toml"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name, script in {"python3": PYTHON, "id": ID, "apt-get": APT}.items():
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    return Machine(tmp_path)


def test_an_old_python_is_refused_in_one_sentence(machine: Machine) -> None:
    said = machine.bootstrap(version="3.9.2")

    assert 2 == said.returncode
    assert "Python 3.11 or newer is needed, python3 is Python 3.9.2" in said.stderr
    assert 1 == len(said.stderr.splitlines())
    assert [] == machine.calls()


def test_without_the_venv_module_a_user_is_told_the_line_to_run_as_root(machine: Machine) -> None:
    said = machine.bootstrap(uid=1000)

    assert 2 == said.returncode
    assert f"setup: Python's venv module is missing. As root: {INSTALL}\n" == said.stderr
    assert [] == machine.calls()


def test_without_the_venv_module_root_gets_it_installed_after_an_update(machine: Machine) -> None:
    machine.bootstrap(uid=0)

    assert ["apt-get update -qq", "apt-get install -y -qq python3-venv", "made an environment"] == machine.calls()


def test_an_installation_that_fails_names_the_line_again(machine: Machine) -> None:
    said = machine.bootstrap(uid=0, apt_fails="yes")

    assert 2 == said.returncode
    assert f"setup: python3-venv could not be installed. As root: {INSTALL}" == said.stderr.splitlines()[-1]


def test_nothing_is_done_when_nothing_changed(root: Path, machine: Machine) -> None:
    binaries = machine.folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    shutil.copy(machine.folder / "bin" / "python3", binaries / "python")
    installed = f"{machine.folder}\n".encode() + b"".join(
        (machine.folder / name).read_bytes()
        for name in ["requirements-dev.lock", "pyproject.toml", "scripts/bootstrap"]
    )
    digest = hashlib.sha256(installed).hexdigest()
    (machine.folder / ".venv" / ".installed-requirements-dev.lock").write_text(digest)

    said = machine.bootstrap(version="3.9.2")

    assert (0, "") == (said.returncode, said.stderr)
