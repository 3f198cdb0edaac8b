"""An event loop whose time is virtual and whose order is the seed's: no socket, no thread, no waiting.

Each callback belongs to a strand, which stands for a process (the context variable says which). Within a strand
callbacks run first in, first out, as asyncio promises; between strands the seed chooses, as no two processes
promise each other anything. A strand can be halted like a stopped process: nothing of it runs, nothing of it is lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from trading_orchestrator.errors import Broken
from trading_orchestrator.simulation.chance import Chance

WORLD = "world"
STRAND: contextvars.ContextVar[str] = contextvars.ContextVar("strand", default=WORLD)
IDLE_TURNS_MAX = 200_000
"""Callbacks without time going on: more than any burst of work needs, so it is a loop without an end."""


CLOSINGS_MAX = 100
T = TypeVar("T")


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


class Turn(asyncio.TimerHandle):
    """A callback that waits for its turn, and the strand it belongs to. The 60,000 of a seed carry nothing else."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "strand")

    def __init__(self, callback: Callable[..., object], args: Sequence[Any], context: contextvars.Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.strand: str = context.get(STRAND, WORLD)
        self.is_cancelled = False

    def cancel(self) -> None:
        """A timer stays in the heap and is passed over when its time comes; what it holds is let go at once."""
        self.is_cancelled = True
        self.callback, self.args = _not_called, ()

    def cancelled(self) -> bool:
        return self.is_cancelled


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks by the rule above. Time jumps to the next timer as soon as no strand can run.

    on_failure: told of every task that ended by an exception, and of its strand.
    now_ns: `time()` in whole nanoseconds; clocks ask three times as often as time moves.
    """

    def __init__(self, chance: Chance) -> None:
        super().__init__()
        self._chance = chance
        self._now_s = 0.0
        self.now_ns = 0
        self._numbers = 0
        self._stuck_at_turn = IDLE_TURNS_MAX
        self._timers: list[tuple[float, int, Turn]] = []
        self._queues: defaultdict[str, deque[Turn]] = defaultdict(deque)
        self._waiting: dict[str, deque[Turn]] = {}
        self._halted: set[str] = set()
        self._alarms: dict[str, tuple[int, Callable[[], None]]] = {}
        self._tasks_of: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)
        self.turns = 0
        self.on_failure: Callable[[str, BaseException], None] = _not_told
        self.set_exception_handler(_not_logged)

    # -- time

    def time(self) -> float:
        return self._now_s

    def call_at(  # type: ignore[override]  # typeshed pairs callback and arguments, asyncio does not
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        turn = Turn(callback, args, contextvars.copy_context() if context is None else context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, turn))
        return turn

    def call_later(  # type: ignore[override]  # as above
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    # -- strands

    def halt(self, strand: str) -> None:
        """Run nothing of this strand from now on; what comes for it waits."""
        self._halted.add(strand)
        self._waiting.pop(strand, None)

    def go_on(self, strand: str) -> None:
        """Let a halted strand run again."""
        self._halted.discard(strand)
        if self._queues[strand]:
            self._waiting[strand] = self._queues[strand]

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
        self._queues[strand].clear()

    # -- what asyncio asks of a loop

    def create_future(self) -> asyncio.Future[Any]:
        return NumberedFuture(loop=self)

    def next_number(self) -> int:
        """Return 1, 2, 3, …"""
        self._numbers += 1
        return self._numbers

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # it only refuses
        raise OutsideWorld(f"expected no thread in a simulation, was an executor for {func!r}")

    def create_task(  # type: ignore[override]  # a coroutine is all that ours are made of
        self, work: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        strand = STRAND.get() if context is None else context.get(STRAND, WORLD)
        task = NumberedTask(work, loop=self, name=name, context=context)
        # Held here, or the collector would end tasks of a dead process, and run their `finally` as death does not.
        self._tasks_of[strand].add(task)
        task.add_done_callback(self._forget, context=context)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        strand = STRAND.get()
        self._tasks_of[strand].discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_failure(strand, error)

    def call_soon(  # type: ignore[override]  # as above
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        turn = Turn(callback, args, contextvars.copy_context() if context is None else context)
        self._add(turn)
        return turn

    def call_soon_threadsafe(  # type: ignore[override]  # as above
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        """Wait for a turn as all do: there is no thread but ours."""
        return self.call_soon(callback, *args, context=context)

    def _asyncgen_finalizer_hook(self, generator: Any) -> None:
        """Asynchronous generators go with their readers: none of ours waits while it ends."""

    def _add(self, turn: Turn) -> None:
        strand = turn.strand
        queue = self._queues[strand]
        if not queue and strand not in self._halted:
            self._waiting[strand] = queue
        queue.append(turn)

    def _run_once(self) -> None:
        """Take turns until the loop is to stop: asyncio asks for a turn at a time, and asking costs as much as one."""
        waiting, timers, alarms, pick = self._waiting, self._timers, self._alarms, self._chance.pick
        while not self._stopping:  # type: ignore[attr-defined]  # asyncio's own flag
            if not waiting:
                self._let_time_pass()
            while timers and timers[0][0] <= self._now_s:
                due = heapq.heappop(timers)[2]
                if not due.is_cancelled:
                    self._add(due)
            if not waiting:
                continue
            strand = next(iter(waiting)) if len(waiting) == 1 else pick(list(waiting))
            if strand in alarms and self._rings(strand):
                continue
            self.turns += 1
            if self.turns > self._stuck_at_turn:
                self._end_stuck(strand)
                continue
            queue = waiting[strand]
            turn = queue.popleft()
            if not queue:
                del waiting[strand]
            try:
                turn.context.run(turn.callback, *turn.args)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - tasks tell theirs: this one is a bug
                self.on_failure(strand, error)

    def _rings(self, strand: str) -> bool:
        turns, do = self._alarms[strand]
        if turns > 0:
            self._alarms[strand] = (turns - 1, do)
            return False
        del self._alarms[strand]
        do()
        return True

    def _let_time_pass(self) -> None:
        while self._timers and self._timers[0][2].is_cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            raise Stuck("nothing will ever happen again: every task waits for another")
        self._now_s = max(self._now_s, self._timers[0][0])
        self.now_ns = round(self._now_s * 1e9)
        self._stuck_at_turn = self.turns + IDLE_TURNS_MAX

    def _end_stuck(self, strand: str) -> None:
        """Halt a strand that runs on and on while time stands still, as a hung process is ended."""
        stuck = Stuck(f"{IDLE_TURNS_MAX} callbacks at {self._now_s:.6f} s and time does not go on")
        if strand == WORLD:
            raise stuck
        self._stuck_at_turn = self.turns + IDLE_TURNS_MAX
        self.halt(strand)
        self.on_failure(strand, stuck)


def _not_told(strand: str, error: BaseException) -> None:
    """The default of `on_failure`."""


def _not_logged(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Errors that nobody retrieved are those of tasks whose node died before it could."""


def _not_called() -> None:
    """What is left of a callback that was cancelled."""
