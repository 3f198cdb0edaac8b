"""I10: the request budget holds in any storm; questions and orders yield, cancels never wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from trading_orchestrator.brokers.budget import (
    POLL_PATIENCE_S,
    BudgetConfig,
    BudgetSpent,
    Purpose,
    RequestBudget,
    VenuePaused,
    last_look,
)
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import ConfigRefused, build

PER_MIN = 600.0
FULL = 120.0
REFILL_PER_S = 7.0


class Storm:
    """A budget, and what left when."""

    def __init__(self, **settings: float) -> None:
        self.clock = VirtualClock()
        self.budget = RequestBudget(BudgetConfig(**({"weight_per_min": PER_MIN} | settings)), clock=self.clock)
        self.left_at_s: dict[Purpose, list[float]] = {purpose: [] for purpose in Purpose}
        self.tasks: list[asyncio.Task[None]] = []
        self._began_ns = self.clock.monotonic_ns()

    def ask(self, purpose: Purpose, times: int = 1, weight: float = 1.0) -> None:
        self.tasks += [asyncio.create_task(self._ask(purpose, weight)) for _ in range(times)]

    async def _ask(self, purpose: Purpose, weight: float) -> None:
        await self.budget.enter(weight, purpose)
        self.left_at_s[purpose].append((self.clock.monotonic_ns() - self._began_ns) / 1e9)

    def count(self, purpose: Purpose) -> int:
        return len(self.left_at_s[purpose])

    async def end(self) -> Sequence[BaseException | None]:
        await self.budget.close()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_each_purpose_stops_at_its_floor_and_cancels_at_none() -> None:
    for purpose, share in ((Purpose.QUESTION, 0.7), (Purpose.ORDER, 0.5), (Purpose.POLL, 0.4), (Purpose.CANCEL, 1.0)):
        storm = Storm()
        storm.ask(purpose, times=1000)
        await storm.clock.advance(0)

        assert round(FULL * share) == storm.count(purpose)
        await storm.end()


async def test_a_thousand_doubts_at_once_neither_burst_nor_delay_a_cancel() -> None:
    storm = Storm()
    storm.ask(Purpose.QUESTION, times=1000, weight=4.0)
    await storm.clock.advance(1.0)
    storm.ask(Purpose.CANCEL, times=20)
    await storm.clock.advance(0)

    assert [1.0] * 20 == storm.left_at_s[Purpose.CANCEL]
    await storm.clock.advance(60.0)
    asked = storm.left_at_s[Purpose.QUESTION]
    in_a_minute = max(sum(4 for at in asked if begin <= at < begin + 60) for begin in asked)
    assert in_a_minute <= PER_MIN * 0.9
    assert 0 < storm.budget.state.waiting[Purpose.QUESTION] < 1000
    await storm.end()


async def test_the_whole_of_a_minute_is_within_the_limit_whoever_asks() -> None:
    storm = Storm()
    for purpose in Purpose:
        storm.ask(purpose, times=1000)
    for _ in range(180):
        await storm.clock.advance(1.0)

    left = sorted(at for each in storm.left_at_s.values() for at in each)
    most = max(sum(1 for at in left if begin <= at < begin + 60) for begin in left)
    assert most <= PER_MIN * 0.9 + 1
    assert 1000 == storm.count(Purpose.CANCEL)
    await storm.end()


async def test_cancels_overtake_whoever_waits() -> None:
    storm = Storm()
    storm.ask(Purpose.CANCEL, times=round(FULL))
    storm.ask(Purpose.QUESTION, times=50)
    storm.ask(Purpose.CANCEL, times=30)
    await storm.clock.advance(30 / REFILL_PER_S + 0.01)

    assert (round(FULL) + 30, 0) == (storm.count(Purpose.CANCEL), storm.count(Purpose.QUESTION))
    await storm.end()


async def test_an_order_is_refused_and_never_delayed() -> None:
    storm = Storm()
    storm.ask(Purpose.QUESTION, times=1000)
    await storm.clock.advance(0)

    assert not storm.budget.has_room_for_orders
    with pytest.raises(BudgetSpent) as refusal:
        await storm.budget.enter(1.0, Purpose.ORDER)
    assert (1, True) == (storm.budget.state.orders_refused, (refusal.value.retry_after_s or 0) > 0)
    await storm.end()


async def test_a_poll_that_waited_long_goes_before_the_doubts_it_may_answer() -> None:
    storm = Storm()
    storm.ask(Purpose.QUESTION, times=1000)
    storm.ask(Purpose.POLL, weight=20.0)
    await storm.clock.advance(POLL_PATIENCE_S - 0.1)
    assert 0 == storm.count(Purpose.POLL)

    await storm.clock.advance(0.1 + 20 / REFILL_PER_S + 1)

    assert 1 == storm.count(Purpose.POLL)
    await storm.end()


async def test_in_a_ban_nothing_is_asked_and_cancels_leave_at_its_end() -> None:
    storm = Storm()
    storm.ask(Purpose.CANCEL, times=round(FULL))
    storm.ask(Purpose.QUESTION)
    await storm.clock.advance(0)
    storm.budget.pause(30.0)
    storm.ask(Purpose.CANCEL, times=3)
    await storm.clock.advance(0)
    for purpose in (Purpose.QUESTION, Purpose.ORDER, Purpose.POLL):
        with pytest.raises(VenuePaused):
            await storm.budget.enter(1.0, purpose)

    await storm.clock.advance(29.9)
    assert round(FULL) == storm.count(Purpose.CANCEL)
    await storm.clock.advance(0.2)

    assert [30.0] * 3 == [round(at, 3) for at in storm.left_at_s[Purpose.CANCEL][-3:]]
    outcomes = await storm.end()
    assert [VenuePaused] == [type(each) for each in outcomes if each is not None]


async def test_nothing_leaves_in_a_ban_that_is_told_once_its_turn_has_come() -> None:
    storm = Storm()
    storm.budget.pause(1.0)
    with last_look(lambda: storm.budget.pause(30.0)):  # as an answer read between the turns and the requests
        storm.ask(Purpose.CANCEL)
    storm.ask(Purpose.CANCEL, times=2)
    await storm.clock.advance(1.1)
    assert 1 == storm.count(Purpose.CANCEL)

    await storm.clock.advance(30.0)

    assert [1.0, 31.0, 31.0] == [round(at, 3) for at in storm.left_at_s[Purpose.CANCEL]]
    assert 3.0 == storm.budget.state.spent[Purpose.CANCEL]
    await storm.end()


async def test_a_question_whose_turn_came_is_not_asked_in_a_ban_either() -> None:
    storm = Storm()
    storm.ask(Purpose.CANCEL, times=round(FULL))
    with last_look(lambda: storm.budget.pause(30.0)):
        storm.ask(Purpose.QUESTION, weight=0.0)
    storm.ask(Purpose.QUESTION, weight=0.0)
    await storm.clock.advance(20.0)

    assert [VenuePaused] == [type(each) for each in await storm.end() if each is not None]
    assert 1 == storm.count(Purpose.QUESTION)


async def test_a_cancel_that_waited_leaves_only_if_it_still_may() -> None:
    storm, looks = Storm(), list[str]()

    def look() -> None:
        looks.append("looked")
        raise LookupError("the lease ended meanwhile")

    with last_look(look):
        storm.ask(Purpose.CANCEL, times=round(FULL) + 2)
    await storm.clock.advance(1.0)

    outcomes = await storm.end()
    assert ["looked"] * 2 == looks
    assert [LookupError] * 2 == [type(each) for each in outcomes if each is not None]
    assert (FULL, 7.0) == (storm.budget.state.spent[Purpose.CANCEL], round(storm.budget.left, 1))


async def test_what_others_at_our_address_use_is_not_ours_to_spend() -> None:
    storm = Storm()

    storm.budget.told_used(PER_MIN * 0.9 - 5)

    assert 5 == round(storm.budget.left)
    assert not storm.budget.has_room_for_orders
    await storm.end()


async def test_the_venues_own_limit_counts_unless_the_config_names_one() -> None:
    told, named = Storm(weight_per_min=0.0), Storm()

    for storm in (told, named):
        storm.budget.allow(6000.0)

    assert (6000.0, PER_MIN) == (told.budget.state.per_min, named.budget.state.per_min)
    assert 1200 == round(told.budget.state.full)
    await told.end()
    await named.end()


async def test_a_request_heavier_than_a_full_bucket_leaves_when_it_is_full() -> None:
    storm = Storm(weight_per_min=30.0)
    storm.ask(Purpose.QUESTION, times=2, weight=20.0)

    await storm.clock.advance(0)
    assert 1 == storm.count(Purpose.QUESTION)
    await storm.clock.advance(60.0)

    assert 2 == storm.count(Purpose.QUESTION)
    await storm.end()


async def test_a_full_budget_does_not_grow_and_a_cancelled_waiter_leaves_no_trace() -> None:
    storm = Storm()
    await storm.clock.advance(3600.0)
    assert storm.budget.left == FULL
    storm.ask(Purpose.QUESTION, times=100, weight=FULL)
    await storm.clock.advance(0)

    for task in storm.tasks:
        task.cancel()
    await storm.clock.advance(60.0)

    assert (0, FULL) == (storm.budget.state.waiting[Purpose.QUESTION], storm.budget.left)
    await storm.end()


def test_a_burst_beyond_what_may_be_used_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigRefused, match="burst_ratio"):
        build(BudgetConfig, {"burst_ratio": 0.95}, source="test")
