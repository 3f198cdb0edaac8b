"""Appends are committed and answered in call order, dense per stream, and one bad caller fails alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.journal.engine import DESK, Engine, append_number, fence_for
from trading_orchestrator.storage.ports import Fact, FactStore, Fence, StaleEpoch


async def test_many_callers_are_committed_and_answered_in_call_order(store: FactStore) -> None:
    fence = await fence_for(store)
    answered: list[int] = []

    async def caller(number: int) -> Fact:
        fact = await append_number(store, number, fence)
        answered.append(number)
        return fact

    facts = await asyncio.gather(*map(caller, range(700)))

    assert list(range(700)) == answered
    assert [(number + 1, number + 1) for number in range(700)] == [(fact.pos, fact.seq) for fact in facts]


async def test_a_stale_caller_within_a_group_fails_alone(store: FactStore) -> None:
    fence = await fence_for(store)
    stale = Fence(DESK, fence.epoch + 7)

    outcomes = await asyncio.gather(
        *(append_number(store, number, stale if number == 25 else fence) for number in range(50)),
        return_exceptions=True,
    )

    assert [25] == [number for number, outcome in enumerate(outcomes) if isinstance(outcome, StaleEpoch)]
    assert list(range(1, 50)) == [outcome.seq for outcome in outcomes if isinstance(outcome, Fact)]


async def test_a_claim_among_appends_fences_exactly_those_that_follow_it(store: FactStore) -> None:
    fence = await fence_for(store)

    before, claimed, after = await asyncio.gather(
        append_number(store, 1, fence),
        fence_for(store, holder="second", dead="first"),
        append_number(store, 2, fence),
        return_exceptions=True,
    )

    assert isinstance(before, Fact)
    assert Fence(DESK, fence.epoch + 1) == claimed
    assert isinstance(after, StaleEpoch)


async def test_streams_count_for_themselves_and_share_one_pos(store: FactStore) -> None:
    facts = [
        await append_number(store, number, None, stream=stream)
        for number, stream in enumerate(("cluster", "config", "cluster", "access", "config"))
    ]

    assert [1, 1, 2, 1, 2] == [fact.seq for fact in facts]
    assert [1, 2, 3, 4, 5] == [fact.pos for fact in facts]
    assert {"cluster": 2, "config": 2, "access": 1} == {head.stream: head.seq for head in await store.heads()}


async def test_a_caller_who_gives_up_changes_nothing_for_the_others(store: FactStore) -> None:
    calls = [asyncio.create_task(append_number(store, number, None, stream="cluster")) for number in range(20)]
    await asyncio.sleep(0)
    calls[5].cancel()

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert 19 == sum(isinstance(outcome, Fact) for outcome in outcomes)
    assert list(range(1, 21)) == [fact.seq for fact in await store.read()]


async def test_two_stores_contend_and_no_fact_is_lost_or_doubled(engine: Engine) -> None:
    stores = [await engine.open(), await engine.open()]

    async def write(store: FactStore, node: int) -> None:
        for number in range(150):
            await append_number(store, 1000 * node + number, None, stream="cluster")

    await asyncio.gather(*(write(store, node) for node, store in enumerate(stores) for _ in range(2)))

    assert (600, None) == (engine.verify().facts, engine.verify().broken)


async def test_after_closing_calls_are_refused_and_what_was_accepted_is_kept(engine: Engine) -> None:
    store = await engine.open()
    accepted = [asyncio.create_task(append_number(store, number, None, stream="cluster")) for number in range(30)]
    await asyncio.sleep(0)

    await store.close()

    assert list(range(1, 31)) == [fact.pos for fact in await asyncio.gather(*accepted)]
    for call in (append_number(store, 1, None, stream="cluster"), store.heads()):
        with pytest.raises(Exception, match="closed"):
            await call
