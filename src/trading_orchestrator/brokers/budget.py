"""The request budget of one venue account: whatever storms, there is room for cancels."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import Enum
from typing import Annotated, NamedTuple

import msgspec

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import Clock

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
UNTIL_TOLD_PER_MIN = 600.0
PAUSE_S = 1.0
"""Pause after a venue refused to look and named no time itself."""
POLL_PATIENCE_S = 10.0
"""One list of open orders or trades answers for many doubts: a poll that waited so long goes before them."""


class Purpose(Enum):
    """Why a request leaves, the most urgent first."""

    CANCEL = "cancel"
    QUESTION = "question"  # of a doubt, a hole, a start
    ORDER = "order"
    POLL = "poll"

    __hash__ = object.__hash__  # members are single; Enum's own hash is Python, and every request looks its purpose up


ASKING: ContextVar[Purpose] = ContextVar("asking", default=Purpose.QUESTION)
"""What the questions of this task are for. Cancels and orders need not say: their call does."""


@contextlib.contextmanager
def asking(purpose: Purpose) -> Iterator[None]:
    """Let the questions asked within the block be of this purpose."""
    token = ASKING.set(purpose)
    try:
        yield
    finally:
        ASKING.reset(token)


def _may_leave() -> None:
    """The default: nobody looks."""


LAST_LOOK: ContextVar[Callable[[], None]] = ContextVar("last_look", default=_may_leave)
"""Called when a request of this task had to wait, and once it is signed; raises when its right to leave has ended."""


@contextlib.contextmanager
def last_look(look: Callable[[], None]) -> Iterator[None]:
    """Let requests made within the block leave only if `look` does not raise, after their wait and once signed."""
    token = LAST_LOOK.set(look)
    try:
        yield
    finally:
        LAST_LOOK.reset(token)


class BudgetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What we allow ourselves of a venue's request weight. TOML: `[brokers.NAME.budget]`.

    `weight_per_min` 0: what the venue says itself (Binance: 6,000), else what ccxt knows of it.
    `use_ratio` 0.9: the rest is for others at the same address, such as the standby's look at the clock.
    `burst_ratio` 0.2: what may be spent at once; the remainder comes back evenly over the minute, so that no window
    of a minute ever sees more than `use_ratio`.
    `cancels_ratio` 0.3: of a full burst, what only cancels may touch: 360 of them at once on Binance, then 70 a second.
    `orders_ratio` 0.5, `polls_ratio` 0.6: below these shares no new order leaves and polls wait; so in a storm of
    doubts the questions come first, exposure does not grow, and polls take what is left.
    """

    weight_per_min: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    use_ratio: Share = 0.9
    burst_ratio: Share = 0.2
    cancels_ratio: Share = 0.3
    orders_ratio: Share = 0.5
    polls_ratio: Share = 0.6

    def __post_init__(self) -> None:
        if self.burst_ratio >= self.use_ratio:
            raise ValueError(f"burst_ratio: expected below use_ratio ({self.use_ratio}), was {self.burst_ratio}")


class BudgetSpent(Transient):
    """Nothing was sent: what is left of the venue's patience is kept for cancels and questions."""

    code = "budget.spent"


class VenuePaused(Transient):
    """Nothing was sent: the venue refused to look at requests until a time that has not come."""

    code = "budget.venue_paused"


class BudgetState(NamedTuple):
    """How the budget stands. Weights in the venue's own unit; `spent` since the start, by purpose."""

    per_min: float
    full: float
    left: float
    told_used: float
    spent: dict[Purpose, float]
    waiting: dict[Purpose, int]
    orders_refused: int
    paused_s: float


class _Turn(NamedTuple):
    weight: float
    purpose: Purpose
    since_ns: int
    come: asyncio.Future[None]


_AHEAD = {
    Purpose.CANCEL: (Purpose.CANCEL,),
    Purpose.QUESTION: (Purpose.CANCEL, Purpose.QUESTION),
    Purpose.ORDER: (Purpose.CANCEL, Purpose.QUESTION),
    Purpose.POLL: (Purpose.CANCEL, Purpose.QUESTION, Purpose.POLL),
}


class RequestBudget:
    """A bucket of weight that refills by the clock, with a floor for each purpose.

    Cancels go to its bottom and never wait for anybody but each other and a ban; questions and polls wait for their
    turn; an order is refused rather than delayed, for between the look at the lease and the first byte nothing waits.
    In a ban nothing is asked; cancels go out at its end. Use within one event loop.
    """

    def __init__(self, config: BudgetConfig, *, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._floors = {
            Purpose.CANCEL: 0.0,
            Purpose.QUESTION: config.cancels_ratio,
            Purpose.ORDER: config.orders_ratio,
            Purpose.POLL: config.polls_ratio,
        }
        self._per_min = config.weight_per_min or UNTIL_TOLD_PER_MIN
        self._left = self._full
        self._counted_ns = clock.monotonic_ns()
        self._paused_until_ns = 0
        self._told_used = 0.0
        self._spent = dict.fromkeys(Purpose, 0.0)
        self._orders_refused = 0
        self._queues: dict[Purpose, deque[_Turn]] = {purpose: deque() for purpose in Purpose}
        self._news = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    # -- what the venue says

    def allow(self, per_min: float) -> None:
        """Take the venue's limit, unless the config names one."""
        if self._config.weight_per_min or per_min <= 0 or per_min == self._per_min:
            return
        was_full, left = self._full, self.left
        self._per_min = per_min
        self._left = left + self._full - was_full
        self._news.set()

    def told_used(self, weight: float) -> None:
        """Take the venue's count of this minute: others at our address may have used it, too."""
        self._told_used = weight
        self._left = min(self.left, max(0.0, self._per_min * self._config.use_ratio - weight))

    def pause(self, seconds: float | None) -> None:
        """The venue refused to look at requests, for so long: ask nothing until then."""
        until_ns = self._clock.monotonic_ns() + int((PAUSE_S if seconds is None else seconds) * 1e9)
        self._paused_until_ns = max(self._paused_until_ns, until_ns)
        for purpose in (Purpose.QUESTION, Purpose.POLL):
            while self._queues[purpose]:
                turn = self._queues[purpose].popleft()
                if not turn.come.done():
                    turn.come.set_exception(self._paused())

    # -- what is asked of it

    @property
    def left(self) -> float:
        """Return the weight left now."""
        now_ns = self._clock.monotonic_ns()
        self._left = min(self._full, self._left + (now_ns - self._counted_ns) / 1e9 * self._refill_per_s)
        self._counted_ns = now_ns
        return self._left

    @property
    def paused_s(self) -> float:
        """Return for how long the venue wants no request; 0 when it does."""
        return max(0, self._paused_until_ns - self._clock.monotonic_ns()) / 1e9

    @property
    def has_room_for_orders(self) -> bool:
        """Return whether a new order could leave now."""
        return self.paused_s == 0 and self._wait_s(1.0, Purpose.ORDER) == 0

    @property
    def state(self) -> BudgetState:
        return BudgetState(
            per_min=self._per_min,
            full=self._full,
            left=self.left,
            told_used=self._told_used,
            spent=dict(self._spent),
            waiting={purpose: len(queue) for purpose, queue in self._queues.items()},
            orders_refused=self._orders_refused,
            paused_s=self.paused_s,
        )

    async def enter(self, weight: float, purpose: Purpose) -> None:
        """Return when a request of this weight may leave, and count it.

        Raises:
            VenuePaused: the venue wants nothing now; cancels wait for the end of that instead.
            BudgetSpent: an order, and no room for it.
            What `last_look` raises, after a wait.
        """
        if purpose is not Purpose.CANCEL and self.paused_s:
            raise self._paused()
        if not self._is_behind(purpose) and not self.paused_s and self._wait_s(weight, purpose) == 0:
            self._spend(weight, purpose)
        elif purpose is Purpose.ORDER:
            self._orders_refused += 1
            wait_s = self._wait_s(weight, purpose)
            raise BudgetSpent("not sent: the rest of the request budget is kept for cancels", retry_after_s=wait_s)
        else:
            await self._wait_for_turn(weight, purpose)
            while self.paused_s:  # the venue said so between the turn and now
                self._spend(-weight, purpose)
                if purpose is not Purpose.CANCEL:
                    raise self._paused()
                await self._wait_for_turn(weight, purpose)
            try:
                LAST_LOOK.get()()
            except BaseException:  # whatever keeps it from leaving, a cancellation too: nothing was spent
                self._spend(-weight, purpose)
                raise

    async def close(self) -> None:
        """Let nobody wait any more."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        for queue in self._queues.values():
            for turn in queue:
                turn.come.cancel()
            queue.clear()

    # -- the bucket

    @property
    def _full(self) -> float:
        return self._per_min * self._config.burst_ratio

    @property
    def _refill_per_s(self) -> float:
        return self._per_min * (self._config.use_ratio - self._config.burst_ratio) / 60

    def _wait_s(self, weight: float, purpose: Purpose) -> float:
        """Return how long until there is room. What exceeds a full bucket may overdraw it, or it could never leave."""
        needed = min(self._floors[purpose] * self._full + weight, self._full)
        return max(0.0, needed - self.left) / self._refill_per_s

    def _spend(self, weight: float, purpose: Purpose) -> None:
        self._left = self.left - weight
        self._spent[purpose] += weight

    def _paused(self) -> VenuePaused:
        wait_s = self.paused_s
        return VenuePaused(f"not sent: the venue wants no request for {wait_s:.1f} s", retry_after_s=wait_s)

    # -- the queue

    def _is_behind(self, purpose: Purpose) -> bool:
        """Return whether somebody waits whose turn comes first."""
        return any(self._queues[each] for each in _AHEAD[purpose])

    async def _wait_for_turn(self, weight: float, purpose: Purpose) -> None:
        come: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turn = _Turn(weight, purpose, self._clock.monotonic_ns(), come)
        self._queues[purpose].append(turn)
        self._news.set()
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name="request budget")
        try:
            await come
        except asyncio.CancelledError:
            if turn in self._queues[purpose]:
                self._queues[purpose].remove(turn)
            raise

    async def _serve(self) -> None:
        """Give everybody a turn, and end when nobody waits."""
        while (queue := self._next()) is not None:
            turn = queue[0]
            if turn.come.done():  # its task was cancelled meanwhile
                queue.popleft()
                continue
            purpose = Purpose.QUESTION if self._is_aged(turn) else turn.purpose
            wait_s = max(self.paused_s, self._wait_s(turn.weight, purpose))
            if wait_s > 0:
                await self._sleep_or_news(min(wait_s + 1e-6, POLL_PATIENCE_S))
            else:
                queue.popleft()
                self._spend(turn.weight, turn.purpose)
                turn.come.set_result(None)

    def _next(self) -> deque[_Turn] | None:
        """Return the queue whose head comes next: cancels, polls that grew old, questions, polls."""
        polls = self._queues[Purpose.POLL]
        if self._queues[Purpose.CANCEL]:
            return self._queues[Purpose.CANCEL]
        if polls and self._is_aged(polls[0]):
            return polls
        return self._queues[Purpose.QUESTION] or polls or None

    def _is_aged(self, turn: _Turn) -> bool:
        waited_ns = self._clock.monotonic_ns() - turn.since_ns
        return turn.purpose is Purpose.POLL and waited_ns >= POLL_PATIENCE_S * 1e9

    async def _sleep_or_news(self, seconds: float) -> None:
        self._news.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((sleeping, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            news.cancel()
