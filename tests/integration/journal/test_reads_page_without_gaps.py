"""Facts and rows are read in pages that neither repeat nor leave out anything."""

from __future__ import annotations

import pytest

from tests.integration.journal.engine import append_number
from trading_orchestrator.storage.ports import FactStore, NewFact, Put
from trading_orchestrator.storage.sqlite import queries


@pytest.fixture
async def filled(store: FactStore) -> FactStore:
    """Thirty facts, by turns in three streams; every fifth is of another kind."""
    for number in range(30):
        kind = "number.skipped" if number % 5 == 0 else "number.counted"
        stream = ("cluster", "config", "access")[number % 3]
        await store.append([NewFact(stream, kind, number)], node="test", fence=None)
    return store


async def test_pages_ascend_through_the_whole_journal(filled: FactStore) -> None:
    seen: list[int] = []
    while page := await filled.read(after_pos=seen[-1] if seen else 0, limit=7):
        seen += [fact.pos for fact in page]

    assert list(range(1, 31)) == seen


async def test_pages_of_one_stream_hold_only_its_facts(filled: FactStore) -> None:
    page = await filled.read(stream="config", after_pos=5, limit=4)

    assert [8, 11, 14, 17] == [fact.pos for fact in page]
    assert [] == list(await filled.read(stream="desk/none"))


async def test_kinds_are_found_however_thinly_they_lie(filled: FactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "WINDOW_POS", 4)

    assert [1, 6, 11] == [fact.pos for fact in await filled.read(kinds=["number.skipped"], limit=3)]
    assert [1, 16] == [fact.pos for fact in await filled.read(stream="cluster", kinds=["number.skipped"])]
    assert 30 == len(await filled.read(kinds=["number.skipped", "number.counted"]))


async def test_pages_before_a_position_descend(filled: FactStore) -> None:
    assert [30, 29, 28] == [fact.pos for fact in await filled.read_before(before_pos=None, limit=3)]
    assert [9, 8] == [fact.pos for fact in await filled.read_before(before_pos=10, limit=2)]
    assert [27, 24] == [fact.pos for fact in await filled.read_before(stream="access", before_pos=30, limit=2)]


async def test_rows_come_newest_first_and_a_page_keeps_the_rows_of_one_append_together(store: FactStore) -> None:
    for number in range(4):
        puts = [Put("orders", f"{number}{letter}", number) for letter in "ab"]
        await append_number(store, number, None, *puts, stream="cluster")

    first = await store.rows("orders", limit=3)
    rest = await store.rows("orders", before_pos=first[-1].pos, limit=3)

    assert ["3a", "3b", "2a", "2b"] == [row.key for row in first]
    assert ["1a", "1b", "0a", "0b"] == [row.key for row in rest]


async def test_a_row_is_replaced_moved_up_and_deleted(store: FactStore) -> None:
    await append_number(store, 1, None, Put("orders", "a", 1), Put("orders", "b", 1), stream="cluster")
    await append_number(store, 2, None, Put("orders", "a", 2), stream="cluster")
    assert [("a", b"2"), ("b", b"1")] == [(row.key, row.value) for row in await store.rows("orders")]

    await append_number(store, 3, None, Put("orders", "a", None), stream="cluster")

    assert ["b"] == [row.key for row in await store.rows("orders")]
    assert await store.row("orders", "a") is None
    assert [] == list(await store.rows("fills"))
