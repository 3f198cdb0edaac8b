"""Deadlines end work, bulkheads bound it, and retries never add more than their share."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.errors import Refused, Transient, Unknown
from trading_orchestrator.kernel.bulkhead import Bulkhead, BulkheadFull
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.deadline import Deadline, DeadlinePassed
from trading_orchestrator.kernel.retry_budget import RetryBudget, retried


async def passed(clock: VirtualClock, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        await clock.advance(0.1)


async def test_work_that_takes_too_long_is_ended() -> None:
    clock = VirtualClock()
    running = asyncio.create_task(Deadline(clock, 2, what="the look").run(clock.sleep(10)))
    await passed(clock, 2.1)

    with pytest.raises(DeadlinePassed, match="the look did not end within 2 s"):
        await running


async def test_a_part_never_ends_after_the_whole() -> None:
    clock = VirtualClock()
    whole = Deadline(clock, 5)
    await passed(clock, 4)

    assert (1.0, 0.5) == (round(whole.within(3).left_s(), 3), round(whole.within(0.5).left_s(), 3))


async def test_a_bulkhead_lets_so_many_in_and_refuses_the_rest() -> None:
    clock, bulkhead = VirtualClock(), Bulkhead("reports", at_once=2, waiting_max=1)
    most = 0

    async def work() -> None:
        nonlocal most
        async with bulkhead:
            most = max(most, bulkhead.inside)
            await clock.sleep(1)

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await clock.advance(0.1)
    with pytest.raises(BulkheadFull, match="2 at it and 1 waiting"):
        await work()
    await passed(clock, 3)
    await asyncio.gather(*tasks)

    assert (2, 0, 0) == (most, bulkhead.inside, bulkhead.waiting)


async def test_a_cancelled_waiter_takes_no_place() -> None:
    bulkhead = Bulkhead("reports", at_once=1, waiting_max=5)
    async with bulkhead:
        waits = asyncio.create_task(bulkhead.__aenter__())
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)

    assert (0, 0) == (bulkhead.inside, bulkhead.waiting)


async def test_a_place_given_to_a_cancelled_waiter_goes_on() -> None:
    bulkhead = Bulkhead("reports", at_once=1, waiting_max=5)
    async with bulkhead:
        waits = asyncio.create_task(bulkhead.__aenter__())
        await asyncio.sleep(0)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)

    assert 0 == bulkhead.inside


class Flaky:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "well"


async def asked(
    flaky: Flaky, budget: RetryBudget, clock: VirtualClock, *, within_s: float = 60, changes_nothing: bool = False
) -> str:
    asking = asyncio.create_task(
        retried(
            flaky,
            budget=budget,
            deadline=Deadline(clock, within_s),
            clock=clock,
            random_bytes=lambda size: b"\x80" * size,
            changes_nothing=changes_nothing,
        )
    )
    await passed(clock, within_s)
    return await asking


async def test_what_did_not_happen_is_asked_again() -> None:
    flaky = Flaky(Transient("busy"), Transient("busy"))

    assert "well" == await asked(flaky, RetryBudget(), VirtualClock())
    assert 3 == flaky.calls


@pytest.mark.parametrize("error", [Unknown("who knows"), Refused("no")])
async def test_what_may_have_happened_or_is_final_is_not(error: Exception) -> None:
    flaky = Flaky(error)
    with pytest.raises(type(error)):
        await asked(flaky, RetryBudget(), VirtualClock(), within_s=1)

    assert 1 == flaky.calls


async def test_what_only_asks_may_ask_again_whatever_became_of_it() -> None:
    flaky = Flaky(Unknown("who knows"), Transient("busy"))

    assert "well" == await asked(flaky, RetryBudget(), VirtualClock(), changes_nothing=True)


async def test_the_wait_the_other_side_asks_for_is_kept_or_not_begun() -> None:
    flaky = Flaky(Transient("busy", retry_after_s=30))
    with pytest.raises(Transient, match="busy"):
        await asked(flaky, RetryBudget(), VirtualClock(), within_s=10)

    assert 1 == flaky.calls


@given(st.integers(0, 500))
def test_retries_never_exceed_their_share(calls: int) -> None:
    budget = RetryBudget(ratio=0.1, least=3)
    retries = 0
    for _ in range(calls):
        budget.earn()
        while budget.spend():
            retries += 1

    assert retries <= 3 + 0.1 * calls
