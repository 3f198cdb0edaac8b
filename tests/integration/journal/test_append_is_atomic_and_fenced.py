"""An append writes all of its facts and rows or none, and only under the lease's present epoch."""

from __future__ import annotations

import msgspec
import pytest

from tests.integration.journal.engine import DESK, Engine, append_number, fence_for
from trading_orchestrator.errors import Refused
from trading_orchestrator.storage.chain import ZERO_HASH, hash_of
from trading_orchestrator.storage.ports import FactStore, Fence, NewFact, Put, StaleEpoch


async def test_facts_of_two_streams_and_their_rows_appear_together(store: FactStore) -> None:
    fence = await fence_for(store)
    facts = [NewFact(DESK, "order.filled", {"qty": "1"}), NewFact("ops/alerts", "alert.fired", {"key": "fill"})]

    written = await store.append(facts, node="n1", fence=fence, puts=[Put("positions", "EURUSD", {"qty": "1"})])

    assert list(written) == list(await store.read())
    row = await store.row("positions", "EURUSD")
    assert row is not None
    assert (b'{"qty":"1"}', written[-1].pos) == (row.value, row.pos)


async def test_a_fact_reads_back_as_it_was_answered_and_its_hash_holds(store: FactStore) -> None:
    fence = await fence_for(store)
    first = await append_number(store, 1, fence)
    second = await append_number(store, 2, fence)

    assert [first, second] == list(await store.read(stream=DESK))
    assert (1, 2, ZERO_HASH, first.hash) == (first.seq, second.seq, first.prev_hash, second.prev_hash)
    assert [fact.hash for fact in (first, second)] == [hash_of(first), hash_of(second)]
    assert ("test", fence.epoch, {"number": 2}) == (second.node, second.epoch, msgspec.json.decode(second.body))


async def test_a_stale_epoch_writes_neither_facts_nor_rows(store: FactStore) -> None:
    old = await fence_for(store, holder="first")
    new = await fence_for(store, holder="second", dead="first")

    with pytest.raises(StaleEpoch) as refused:
        await append_number(store, 1, old, Put("positions", "EURUSD", 1))

    assert {"lease": DESK, "epoch": old.epoch, "found": new.epoch} == refused.value.facts
    assert [] == list(await store.read())
    assert await store.row("positions", "EURUSD") is None


async def test_a_lease_that_never_was_fences_too(store: FactStore) -> None:
    with pytest.raises(StaleEpoch):
        await append_number(store, 1, Fence("desk/none", 1))


async def test_only_access_config_and_cluster_are_written_without_a_fence(store: FactStore) -> None:
    for stream in ("access", "config", "cluster"):
        await append_number(store, 1, None, stream=stream)
    with pytest.raises(Refused):
        await append_number(store, 1, None, stream=DESK)

    assert ["access", "cluster", "config"] == sorted(head.stream for head in await store.heads())


async def test_one_unfenced_stream_does_not_let_another_through(store: FactStore) -> None:
    with pytest.raises(Refused):
        await store.append(
            [NewFact("cluster", "node.started", {}), NewFact(DESK, "order.filled", {})], node="n1", fence=None
        )

    assert [] == list(await store.read())


FACT_BYTES, ROW_BYTES = 1 << 20, 1 << 26
BAD = (object(), {"half": "\ud800"})


@pytest.mark.parametrize(
    ("body", "row"),
    [*((bad, bad) for bad in BAD), ("x" * (FACT_BYTES + 1), "x" * (ROW_BYTES + 1))],
    ids=["type", "text", "size"],
)
async def test_a_body_that_is_no_fact_is_refused_and_the_next_is_taken(
    store: FactStore, body: object, row: object
) -> None:
    with pytest.raises(Refused):
        await store.append([NewFact("cluster", "node.started", body)], node="n1", fence=None)
    with pytest.raises(Refused):
        await append_number(store, 1, None, Put("rows", "key", row), stream="cluster")

    assert 1 == (await append_number(store, 1, None, stream="cluster")).pos


async def test_a_name_that_no_file_can_hold_fails_only_its_own_caller(store: FactStore) -> None:
    with pytest.raises(Refused):
        await store.append([NewFact("cluster", "node.started", {})], node="\ud800", fence=None)

    assert 1 == (await append_number(store, 1, None, stream="cluster")).pos


async def test_rows_that_follow_from_no_fact_are_refused(store: FactStore) -> None:
    with pytest.raises(Refused):
        await store.append([], node="n1", fence=None, puts=[Put("rows", "key", 1)])


async def test_what_was_acknowledged_is_there_for_the_next_process(engine: Engine) -> None:
    first, second = await engine.open(), await engine.open()
    fence = await fence_for(first)

    written = await append_number(first, 1, fence)

    assert [written] == list(await second.read())
    assert first.journal_id == second.journal_id
