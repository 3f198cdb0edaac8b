"""What nodes did while the journal took nothing, noted in their incarnation files until somebody has journaled it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from trading_orchestrator.journal import emergency_area
from trading_orchestrator.journal.incarnation import MAGIC, Incarnation, path_of


class Noted(NamedTuple):
    """One record and where it stands."""

    node: str
    slot: int
    record: bytes


class EmergencyNotes:
    """Writes into this process's own file; reads and clears those of all, dead or alive. Use from one event loop.

    A note survives the process, not the host: after that only the venue can tell.
    """

    def __init__(self, directory: Path, incarnation: Incarnation) -> None:
        self._directory = directory
        self._incarnation = incarnation

    @property
    def node(self) -> str:
        return self._incarnation.node

    def note(self, record: bytes, *, kept: int = 0) -> None:
        """Leave the record before its deed.

        Args:
            kept: so many slots have to be left for records that stand for many deeds.

        Raises:
            EmergencyAreaFull: nothing was written: do not do it.
        """
        self._incarnation.note(record, kept=kept)

    def noted(self) -> Sequence[Noted]:
        """Return what every node noted and nobody has struck, node by node."""
        found: list[Noted] = []
        for path in sorted(self._directory.iterdir()) if self._directory.is_dir() else []:
            found += [Noted(path.name, slot, record) for slot, record in notes_in(path)]
        return found

    def strike(self, noted: Noted) -> None:
        """Free a record that is journaled."""
        at, free = emergency_area.clearing(noted.slot)
        with suppress(FileNotFoundError), path_of(self._directory, noted.node).open("r+b") as file:
            os.pwrite(file.fileno(), free, at)


def notes_in(path: Path) -> list[tuple[int, bytes]]:
    """Return the records of one incarnation file; none of a file that is no such."""
    if path.name.startswith(".") or not path.is_file():
        return []
    with suppress(FileNotFoundError):
        data = path.read_bytes()
        if data.startswith(MAGIC) and len(data) == emergency_area.SIZE_BYTES:
            return emergency_area.read(data)
    return []
