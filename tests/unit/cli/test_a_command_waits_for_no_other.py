"""A command imports its own module; only help and a name that nobody knows import all."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from trading_orchestrator.cli import main as command_line


def imported_by(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the commands whose modules are imported when the program is called so."""
    found: list[str] = []

    def import_module(name: str) -> ModuleType:
        found.append(name.rpartition(".")[2])
        return importlib.import_module(name)

    monkeypatch.setattr(command_line, "import_module", import_module)
    monkeypatch.setattr("sys.argv", ["trading-orchestrator", *arguments])
    with pytest.raises(SystemExit):
        command_line.main()
    return found


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_each_command_stands_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "venue":  # it hands its options on, to another program
        assert [name] == [each.name for each in command_line.build((name,)).registered_commands]
    else:
        assert [name] == imported_by([name, "--help"], monkeypatch)


@pytest.mark.parametrize("arguments", [["--help"], [], ["statu"]])
def test_help_and_hints_know_all(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(command_line.COMMANDS) == imported_by(arguments, monkeypatch)
