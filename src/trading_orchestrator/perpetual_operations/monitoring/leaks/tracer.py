"""Which lines keep what they allocate: tracemalloc, in windows of seconds; always on it would cost too much."""

from __future__ import annotations

import gc
import site
import sysconfig
import tracemalloc
from collections import Counter
from typing import Protocol

from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Grown

FRAMES = 8


class Tracer(Protocol):
    """Traces allocations of this process."""

    def start(self) -> bool:
        """Begin; False when somebody else traces already."""
        ...

    def grown(self) -> Grown:
        """Return bytes still allocated since the start, by file:line. Blocking; runs beside the loop."""
        ...

    def stop(self) -> None:
        """End, and forget what was traced."""
        ...


class TracemallocTracer:
    """The interpreter's own. A line in a library is charged to the line of the program that called it."""

    def __init__(self) -> None:
        self._libraries = tuple({*site.getsitepackages(), *_standard_library()})

    def start(self) -> bool:
        if tracemalloc.is_tracing():
            return False
        tracemalloc.start(FRAMES)
        return True

    def grown(self) -> Grown:
        gc.collect(1)  # what only waits for the collector is not kept
        grown: Counter[str] = Counter()
        for statistic in tracemalloc.take_snapshot().statistics("traceback"):
            grown[self._charged(statistic.traceback)] += statistic.size
        return grown

    def stop(self) -> None:
        tracemalloc.stop()

    def _charged(self, traceback: tracemalloc.Traceback) -> str:
        innermost = traceback[-1]
        for frame in reversed(traceback):
            if not frame.filename.startswith((*self._libraries, "<")):
                return f"{frame.filename}:{frame.lineno}"
        return f"{innermost.filename}:{innermost.lineno}"


def _standard_library() -> tuple[str, ...]:
    return tuple(path for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key)))
