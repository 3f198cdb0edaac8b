"""Gives memory back: registered caches first, then the collector, then the allocator; tells what each gave."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import msgspec

PAGE_BYTES = 4096


class Relieved(msgspec.Struct, frozen=True):
    """What each rung gave back, in bytes of resident memory; a negative number grew meanwhile."""

    caches: tuple[str, ...]
    caches_bytes: int
    collected_bytes: int
    trimmed_bytes: int

    @property
    def freed_bytes(self) -> int:
        return self.caches_bytes + self.collected_bytes + self.trimmed_bytes


class Relief:
    """Caches register themselves with a function that empties them. Use from the event loop: it takes milliseconds."""

    def __init__(self, resident_bytes: Callable[[], int] | None = None) -> None:
        self._caches: dict[str, Callable[[], object]] = {}
        self._resident_bytes = resident_bytes or _resident_bytes

    def add_cache(self, name: str, clear: Callable[[], object]) -> None:
        """Have `clear` called when memory is short; what it drops must come back by itself."""
        self._caches[name] = clear

    def relieve(self) -> Relieved:
        """Climb the three rungs."""
        before = self._resident_bytes()
        for clear in self._caches.values():
            clear()
        cleared = self._resident_bytes()
        gc.collect()
        collected = self._resident_bytes()
        _malloc_trim()
        trimmed = self._resident_bytes()
        return Relieved(tuple(self._caches), before - cleared, cleared - collected, collected - trimmed)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def _malloc_trim() -> None:
    """Only glibc has it; other allocators give back by themselves."""
    import ctypes  # 8 ms that a start need not wait, for what is seldom done

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
