"""Which lines keep what they allocate: tracemalloc, in windows of seconds; always on it would cost too much."""

from __future__ import annotations

import gc
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from trading_orchestrator.perpetual_operations.monitoring.leaks.verdict import Grown

if TYPE_CHECKING:
    import tracemalloc

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
    """The interpreter's own. A line in a library is charged to the line of the program that called it.

    What it needs is imported when it starts: 6 ms that a node would otherwise pay at its own start.
    """

    def __init__(self) -> None:
        self._libraries: tuple[str, ...] = ()

    def start(self) -> bool:
        import tracemalloc

        self._libraries = self._libraries or _libraries()
        if tracemalloc.is_tracing():
            return False
        tracemalloc.start(FRAMES)
        return True

    def grown(self) -> Grown:
        import tracemalloc

        gc.collect(1)  # what only waits for the collector is not kept
        grown: Counter[str] = Counter()
        for statistic in tracemalloc.take_snapshot().statistics("traceback"):
            grown[self._charged(statistic.traceback)] += statistic.size
        return grown

    def stop(self) -> None:
        import tracemalloc

        tracemalloc.stop()

    def _charged(self, traceback: tracemalloc.Traceback) -> str:
        innermost = traceback[-1]
        for frame in reversed(traceback):
            if not frame.filename.startswith((*self._libraries, "<")):
                return f"{frame.filename}:{frame.lineno}"
        return f"{innermost.filename}:{innermost.lineno}"


def _libraries() -> tuple[str, ...]:
    import site
    import sysconfig

    standard = (sysconfig.get_path(key) for key in ("stdlib", "platstdlib"))
    return tuple({*site.getsitepackages(), *(path for path in standard if path)})
