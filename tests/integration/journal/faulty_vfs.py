"""A SQLite VFS whose syncs and writes fail on demand, as a failing disk's do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw


class FaultyVfs(apsw.VFS):
    """The system's own VFS under another name; `fails(operation, file name)` decides about each sync and write."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fails: Callable[[str, str], bool] = lambda operation, file: False
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _FaultyFile:  # noqa: N802 - SQLite names it
        return _FaultyFile(self, name, flags)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, vfs: FaultyVfs, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite names it
        if self._vfs.fails("sync", self._name):
            raise apsw.IOError("no sync today")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite names it
        if self._vfs.fails("write", self._name):
            raise apsw.IOError("no write today")
        super().xWrite(data, offset)


@contextmanager
def failing(vfs: FaultyVfs, operation: str, *, times: int) -> Iterator[list[str]]:
    """Fail the next `times` of this operation on the write-ahead log; the list fills with the files it met."""
    met: list[str] = []

    def fails(now: str, file: str) -> bool:
        if now != operation or not file.endswith("-wal") or len(met) >= times:
            return False
        met.append(file)
        return True

    vfs.fails = fails
    try:
        yield met
    finally:
        vfs.fails = lambda now, file: False
