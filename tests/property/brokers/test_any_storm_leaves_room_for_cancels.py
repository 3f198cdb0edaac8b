"""I10: whatever asks, waits and is banned, the budget holds, and a cancel waits for cancels and bans alone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trading_orchestrator.brokers.budget import BudgetConfig, BudgetSpent, Purpose, RequestBudget, VenuePaused
from trading_orchestrator.kernel.clock import VirtualClock

CONFIG = BudgetConfig(weight_per_min=600.0)
FULL = CONFIG.weight_per_min * CONFIG.burst_ratio
REFILL_PER_S = CONFIG.weight_per_min * (CONFIG.use_ratio - CONFIG.burst_ratio) / 60
STEP_S = 0.1
TURNS = 40


class Left(NamedTuple):
    """A request that left, and what the model's bucket held right before."""

    at_s: float
    purpose: Purpose
    level: float


class Storm(RuleBasedStateMachine):
    """A budget beside a bucket that the model fills and empties by the clock."""

    loop: asyncio.AbstractEventLoop | None = None

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.began_ns = self.clock.monotonic_ns()
        self.budget = RequestBudget(CONFIG, clock=self.clock)
        self.level, self.counted_s = FULL, 0.0
        self.bans: list[tuple[float, float]] = []
        self.left: list[Left] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting_cancels = 0

    @property
    def now_s(self) -> float:
        return (self.clock.monotonic_ns() - self.began_ns) / 1e9

    def fill(self) -> None:
        self.level = min(FULL, self.level + (self.now_s - self.counted_s) * REFILL_PER_S)
        self.counted_s = self.now_s

    async def ask(self, purpose: Purpose) -> None:
        self.waiting_cancels += purpose is Purpose.CANCEL
        try:
            await self.budget.enter(1.0, purpose)
        except (BudgetSpent, VenuePaused):
            return
        self.waiting_cancels -= purpose is Purpose.CANCEL
        self.fill()
        self.left.append(Left(self.now_s, purpose, self.level))
        self.level -= 1.0

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        assert self.loop is not None
        self.loop.run_until_complete(work)

    async def settle(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / STEP_S))):
            await self.clock.advance(min(seconds, STEP_S))
            for _ in range(TURNS):
                await asyncio.sleep(0)

    @rule(purpose=st.sampled_from(Purpose), times=st.integers(1, 60))
    def many_ask(self, purpose: Purpose, times: int) -> None:
        assert self.loop is not None
        self.tasks |= {self.loop.create_task(self.ask(purpose)) for _ in range(times)}
        self.run(self.settle(0.0))

    @rule(seconds=st.floats(0.01, 8.0))
    def time_passes(self, seconds: float) -> None:
        self.run(self.settle(seconds))

    @rule(seconds=st.floats(0.1, 3.0))
    def the_venue_bans_us(self, seconds: float) -> None:
        self.budget.pause(seconds)
        self.bans.append((self.now_s, self.now_s + seconds))
        self.run(self.settle(0.0))

    @invariant()
    def nothing_leaves_beyond_the_budget(self) -> None:
        assert [] == [each for each in self.left if each.level < 1.0 - 1e-3]

    @invariant()
    def orders_leave_only_from_the_upper_part(self) -> None:
        least = CONFIG.orders_ratio * FULL + 1.0 - 1e-3
        assert [] == [each for each in self.left if each.purpose is Purpose.ORDER and each.level < least]

    @invariant()
    def nothing_leaves_in_a_ban(self) -> None:
        in_ban = [each for each in self.left if any(since < each.at_s < until - 1e-3 for since, until in self.bans)]
        assert [] == in_ban

    @invariant()
    def cancels_wait_for_bans_and_an_empty_bucket_alone(self) -> None:
        self.fill()
        banned_until_s = max((until for _, until in self.bans), default=0.0)
        may_leave = self.now_s > banned_until_s + STEP_S and self.level >= 2.0
        assert not (may_leave and self.waiting_cancels)

    def teardown(self) -> None:
        if self.loop is not None:
            self.run(self.end())
            self.loop.close()

    async def end(self) -> None:
        await self.budget.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


TestStorm = Storm.TestCase
TestStorm.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
