"""A fact is short; a row may sum up many: a desk's snapshot with ten thousand open orders is longer than a megabyte."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact, Put
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.store import FactRefused

LONG = "x" * 3_000_000


async def test_a_row_of_three_megabytes_is_kept_and_a_fact_of_that_size_refused(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    short = NewFact("cluster", "number.counted", {"number": 1})

    await store.append([short], node="test", fence=None, puts=[Put("snapshot", "paper", LONG)])
    with pytest.raises(FactRefused, match="expected at most 1048576 bytes, was 3000002"):
        await store.append([NewFact("cluster", "number.counted", LONG)], node="test", fence=None)

    row = await store.row("snapshot", "paper")
    await store.close()
    assert row is not None
    assert len(LONG) + 2 == len(row.value)
