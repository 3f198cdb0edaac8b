"""What each node of the host measures now: one small file a node, written once a second, read by the console.

So /metrics tells of every node although only one answers, and a trader needs no web stack and no metric library.
Written in place under a checksum, never renamed: a rename would make the disk write each second at once.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from trading_orchestrator.kernel.metrics import Family
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

FOLDER = "live"
FRESH_NS = 10_000_000_000
READ_TRIES = 3
_HEAD = struct.Struct("<II")


class NodeNow(msgspec.Struct, frozen=True):
    """One node as it measured itself at `at_boot_ns` (the clock since boot, the same in all processes).

    health: its newest report; None from a node that tells none.
    """

    node: str
    at_boot_ns: int
    sample: Sample
    metrics: tuple[Family, ...] = ()
    health: HealthReport | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(NodeNow).decode


class LiveFile:
    """This node's file. One thread at a time; a disk that refuses is the caller's to tell (OSError)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def write(self, now: NodeNow) -> None:
        """Replace what stands in the file; 0.1 ms for a hundred metrics."""
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        body = _encode(now)
        os.pwrite(self._fd, _HEAD.pack(len(body), zlib.crc32(body)) + body, 0)

    def close(self) -> None:
        """Remove the file: a node that left measures nothing any more."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._path.unlink(missing_ok=True)


def read_live(folder: Path, *, now_boot_ns: int, is_alive: Callable[[str], bool]) -> Sequence[NodeNow]:
    """Return the living nodes that measured something within the last ten seconds, by name. Blocking."""
    found = [read_one(path) for path in live_files(folder)]
    return [now for now in found if now is not None and now_boot_ns - now.at_boot_ns < FRESH_NS and is_alive(now.node)]


def read_one(path: Path) -> NodeNow | None:
    """Return what the file says; None when it is gone, or torn at every try (its node died while writing)."""
    for _ in range(READ_TRIES):
        with suppress(OSError, struct.error, msgspec.DecodeError):
            data = path.read_bytes()
            size, checksum = _HEAD.unpack_from(data)
            body = data[_HEAD.size : _HEAD.size + size]
            if zlib.crc32(body) == checksum:
                return _decode(body)
    return None


def live_files(folder: Path) -> Sequence[Path]:
    """Return the files of all nodes, dead ones included, by name."""
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
