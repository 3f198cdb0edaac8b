"""Rows of nodes are a cache of what nodes said: one that does not read back must not keep the others from starting."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.sqlite import open_store


@pytest.mark.parametrize("damage", ["zeroblob(20)", "x'7b226e6f6465223aff'", 'CAST(\'{"node":"a"}\' AS BLOB)'])
async def test_it_counts_as_a_node_that_said_nothing(tmp_path: Path, damage: str) -> None:
    store = await open_store(tmp_path / "journal.db", clock=VirtualClock(), inline=True)
    clusters = [Cluster(store, node=name, pid=1, release="1") for name in "abc"]
    for cluster in clusters:
        await cluster.say_state("ready", 1)
    await clusters[1].say_state("left", 2)
    with closing(apsw.Connection(str(tmp_path / "journal.db"))) as connection:
        connection.execute(f"UPDATE projection SET value = {damage} WHERE name = 'nodes' AND key = 'a'")

    assert ["c"] == await clusters[1].others_ready(lambda _: True)
    assert [False, True] == [await clusters[2].has_left(name) for name in "ab"]
    await store.close()
