"""Removes files of the data directory that nobody needs any more: only in folders made for that, never the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.live import FOLDER as LIVE

log = logging.getLogger(__name__)
LOGS, TEMP, CACHE = "logs", "tmp", "cache"
LIVE_HOURS = 1.0


class Removed(msgspec.Struct, frozen=True):
    """What a clean-up removed; the body of `files.removed`."""

    files: int
    bytes: int
    folders: tuple[str, ...]
    because: str


class CleanUp:
    """Blocking: runs on a thread. A file that another process removes first, or still writes, is no error."""

    def __init__(self, data_dir: Path, *, log_days: float, temp_hours: float) -> None:
        self._data_dir = data_dir
        self._ages_h = {LOGS: log_days * 24, TEMP: temp_hours, CACHE: temp_hours, LIVE: LIVE_HOURS}

    def expired(self, now_s: float) -> Removed:
        """Remove what is older than its age."""
        due = [
            (folder, path, size)
            for folder, age_h in self._ages_h.items()
            for path, size, at_s in _files(self._data_dir / folder)
            if now_s - at_s > age_h * 3600
        ]
        return _removed(due, "expired")

    def make_room(self, now_s: float, missing_bytes: int) -> Removed:
        """Remove all caches and temporary files, then the oldest logs, until `missing_bytes` were freed.

        What was written within the last minute stays: somebody is at it.
        """
        kinds = {CACHE: 0, TEMP: 0, LOGS: 1}
        found = [
            (kinds[folder], at_s, folder, path, size)
            for folder in kinds
            for path, size, at_s in _files(self._data_dir / folder)
            if now_s - at_s > 60
        ]
        due, freed = [], 0
        for kind, _, folder, path, size in sorted(found):
            if kind and freed >= missing_bytes:
                break
            due.append((folder, path, size))
            freed += size
        return _removed(due, "the disk is close to its floor")


def _files(folder: Path) -> Iterator[tuple[Path, int, float]]:
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                known = path.stat()
                yield path, known.st_size, known.st_mtime
        except OSError:
            continue


def _removed(due: Sequence[tuple[str, Path, int]], because: str) -> Removed:
    files, size, folders = 0, 0, set()
    for folder, path, bytes_ in due:
        try:
            path.unlink()
        except OSError as error:
            log.info("%s was not removed: %s", path, error.strerror)
            continue
        files, size = files + 1, size + bytes_
        folders.add(folder)
    return Removed(files, size, tuple(sorted(folders)), because)
