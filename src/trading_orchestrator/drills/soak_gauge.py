"""Measures a running system from outside: /proc of its processes, the sizes of its files, what nodes tell of tasks."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from trading_orchestrator.drills.running_system import RunningSystem
from trading_orchestrator.drills.soak_verdict import WHOLE, Reading
from trading_orchestrator.perpetual_operations.monitoring.live import FOLDER, read_one

MB = 1e6
SUMMED = ("pss", "descriptors", "threads")


class SoakGauge:
    """Takes readings of the keeper, of every living node, of all together, and of the files. One thread."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        self._disk_before = _folder_bytes(system.data_dir)
        self._pos_before = system.last_pos()

    def take(self, at_s: float) -> list[Reading]:
        """Return what is now; a process that ends meanwhile is left out."""
        system = self._system
        taken = [
            one for pid, name in [(system.pid, "keeper"), *system.nodes()] for one in self._process(at_s, pid, name)
        ]
        whole: defaultdict[str, float] = defaultdict(float)
        for one in taken:
            if one.what in SUMMED:
                whole[one.what] += one.value
        return [*taken, *(Reading(at_s, WHOLE, what, value) for what, value in whole.items()), *self._files(at_s)]

    def _process(self, at_s: float, pid: int, name: str) -> Iterator[Reading]:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            values = {
                "rss": process.memory_info().rss / MB,
                "pss": _pss_bytes(pid) / MB,
                "descriptors": process.num_fds(),
                "threads": process.num_threads(),
            }
            yield from (Reading(at_s, name, what, value) for what, value in values.items())
        now = read_one(self._system.data_dir / FOLDER / name)
        if now is not None:
            yield Reading(at_s, name, "tasks", now.sample.process_tasks)

    def _files(self, at_s: float) -> Iterator[Reading]:
        system = self._system
        disk, facts = _folder_bytes(system.data_dir), system.last_pos() - self._pos_before
        for wal in system.data_dir.glob("*.db-wal"):
            with suppress(OSError):
                yield Reading(at_s, wal.name, "wal", wal.stat().st_size / MB)
        yield Reading(at_s, "files", "disk", disk / MB)
        yield Reading(at_s, "files", "facts", facts)
        if facts >= 10_000:  # before, the first pages of the files outweigh the facts
            yield Reading(at_s, "files", "disk_per_fact", (disk - self._disk_before) / facts)


def _pss_bytes(pid: int) -> int:
    """Proportional: what nodes share is counted once in their sum."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _folder_bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_blocks * 512
    return total
