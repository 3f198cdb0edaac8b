"""An event loop whose time is virtual and whose order is the seed's: no socket, no thread, no waiting.

Each callback belongs to a strand, which stands for a process (the context variable says which). Within a strand
callbacks run first in, first out, as asyncio promises; between strands the seed chooses, as no two processes
promise each other anything. A strand can be halted like a stopped process: nothing of it runs, nothing of it is lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from trading_orchestrator.errors import Broken
from trading_orchestrator.simulation.chance import Chance

WORLD = "world"
STRAND: contextvars.ContextVar[str] = contextvars.ContextVar("strand", default=WORLD)
IDLE_TURNS_MAX = 200_000
"""Callbacks without time going on: more than any burst of work needs, so it is a loop without an end."""


CLOSINGS_MAX = 100


class OutsideWorld(Broken):
    """Something in a simulation wanted a thread, an executor or a socket."""

    code = "simulation.outside_world"


class Stuck(Broken):
    """Time stands still and work goes on for ever, or nothing will ever happen again."""

    code = "simulation.stuck"


class NumberedFuture(asyncio.Future[Any]):
    """A future whose hash is the number it gets when first asked: sets of futures then iterate alike in every run."""

    _number = 0

    def __hash__(self) -> int:
        if not self._number:
            self._number = self.get_loop().next_number()  # type: ignore[attr-defined]  # only our loop makes these
        return self._number


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number, as a future's."""

    _number = 0

    def __hash__(self) -> int:
        if not self._number:
            self._number = self.get_loop().next_number()  # type: ignore[attr-defined]  # only our loop makes these
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks by the rule above. Time jumps to the next timer as soon as no strand can run.

    on_failure: told of every task that ended by an exception, and of its strand.
    """

    def __init__(self, chance: Chance) -> None:
        super().__init__()
        self._chance = chance
        self._now_s = 0.0
        self._numbers = 0
        self._turns_since_time_moved = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._waiting: dict[str, deque[asyncio.Handle]] = {}
        self._halted: dict[str, deque[asyncio.Handle]] = {}
        self._alarms: dict[str, tuple[int, Callable[[], None]]] = {}
        self._tasks_of: dict[str, set[asyncio.Task[Any]]] = {}
        self.turns = 0
        self.on_failure: Callable[[str, BaseException], None] = _not_told
        self.set_task_factory(self._make_task)
        self.set_exception_handler(_tell_of_callbacks)

    # -- time

    def time(self) -> float:
        return self._now_s

    def call_at(  # type: ignore[override]  # typeshed pairs callback and arguments, asyncio does not
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap and is passed over when its time comes."""

    # -- strands

    def halt(self, strand: str) -> None:
        """Run nothing of this strand from now on; what comes for it waits."""
        self._halted.setdefault(strand, self._waiting.pop(strand, deque()))

    def go_on(self, strand: str) -> None:
        """Let a halted strand run again."""
        came = self._halted.pop(strand, None)
        if came:
            self._waiting[strand] = came

    def after_turns(self, strand: str, turns: int, do: Callable[[], None]) -> None:
        """Call `do` instead of the strand's callback number `turns` from now: at any await, that is."""
        self._alarms[strand] = (turns, do)

    def forget_alarm(self, strand: str) -> None:
        """Let the strand live after all."""
        self._alarms.pop(strand, None)

    def bury(self, strand: str) -> None:
        """Take the strand's tasks apart where they stand; a coroutine that waits in its `finally` is told again."""
        self.halt(strand)
        while of_strand := self._tasks_of.get(strand):
            task = of_strand.pop()
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own way to say: as intended
            for _ in range(CLOSINGS_MAX):
                try:
                    task.get_coro().close()
                except (RuntimeError, asyncio.CancelledError):
                    continue
                except Exception:  # noqa: BLE001 - what a torn down task dies of is nobody's business any more
                    break
                break
        self._halted[strand].clear()

    # -- what asyncio asks of a loop

    def create_future(self) -> asyncio.Future[Any]:
        return NumberedFuture(loop=self)

    def next_number(self) -> int:
        """Return 1, 2, 3, …"""
        self._numbers += 1
        return self._numbers

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # it only refuses
        raise OutsideWorld(f"expected no thread in a simulation, was an executor for {func!r}")

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        strand = STRAND.get() if context is None else context.get(STRAND, WORLD)
        task = NumberedTask(work, loop=self, context=context)
        # Held here, or the collector would end tasks of a dead process, and run their `finally` as death does not.
        of_strand = self._tasks_of.setdefault(strand, set())
        of_strand.add(task)
        task.add_done_callback(self._forget, context=context)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        strand = STRAND.get()
        self._tasks_of[strand].discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_failure(strand, error)

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._add(handle)
        return handle

    def _asyncgen_finalizer_hook(self, generator: Any) -> None:
        """Asynchronous generators go with their readers: none of ours waits while it ends."""

    def _write_to_self(self) -> None:
        """`call_soon_threadsafe` of our own thread: there is nobody to wake."""

    def _add(self, handle: asyncio.Handle) -> None:
        strand = _strand_of(handle)
        queue = self._waiting.get(strand)
        if queue is None:
            queue = self._halted.get(strand)
            if queue is None:
                queue = self._waiting[strand] = deque()
        queue.append(handle)

    def _run_once(self) -> None:
        """Take turns until the loop is to stop: asyncio asks for a turn at a time, and asking costs as much as one."""
        waiting, timers, alarms = self._waiting, self._timers, self._alarms
        while not self._stopping:  # type: ignore[attr-defined]  # asyncio's own flag
            if not waiting:
                self._let_time_pass()
            while timers and timers[0][0] <= self._now_s:
                timer = heapq.heappop(timers)[2]
                if not timer.cancelled():
                    self._add(timer)
            if not waiting:
                continue
            strand = next(iter(waiting)) if len(waiting) == 1 else self._chance.pick(list(waiting))
            if (strand in alarms and self._rings(strand)) or self._is_stuck(strand):
                continue
            queue = waiting[strand]
            handle = queue.popleft()
            if not queue:
                del waiting[strand]
            if not handle.cancelled():
                handle._run()

    def _rings(self, strand: str) -> bool:
        turns, do = self._alarms[strand]
        if turns > 0:
            self._alarms[strand] = (turns - 1, do)
            return False
        del self._alarms[strand]
        do()
        return True

    def _let_time_pass(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise Stuck("nothing will ever happen again: every task waits for another")
        self._now_s = max(self._now_s, self._timers[0][0])
        self._turns_since_time_moved = 0

    def _is_stuck(self, strand: str) -> bool:
        """Count this turn; halt a strand that runs on and on while time stands still, as a hung process is ended."""
        self.turns += 1
        self._turns_since_time_moved += 1
        if self._turns_since_time_moved <= IDLE_TURNS_MAX:
            return False
        stuck = Stuck(f"{IDLE_TURNS_MAX} callbacks at {self._now_s:.6f} s and time does not go on")
        if strand == WORLD:
            raise stuck
        self._turns_since_time_moved = 0
        self.halt(strand)
        self.on_failure(strand, stuck)
        return True


def _not_told(strand: str, error: BaseException) -> None:
    """The default of `on_failure`."""


def _tell_of_callbacks(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback that failed is a bug; errors nobody retrieved are those of tasks whose node died before it could."""
    error, handle = context.get("exception"), context.get("handle")
    if isinstance(loop, VirtualLoop) and isinstance(error, Exception) and handle is not None:
        loop.on_failure(_strand_of(handle), error)


def _strand_of(handle: asyncio.Handle) -> str:
    context: contextvars.Context = handle._context  # type: ignore[attr-defined]  # asyncio keeps it, typeshed does not
    return context.get(STRAND, WORLD)
