"""F32: a node is ended for the journal's lock only when it is that node which keeps it, and no other program."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.integration.journal.processes import line_of, running
from trading_orchestrator.journal.deaths import Deaths
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.lock_holders import write_lock_holders


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    await (await open_store(path, clock=SystemClock())).close()
    return path


def test_the_process_that_writes_is_the_holder_until_it_ends_its_transaction(journal: Path) -> None:
    with closing(apsw.Connection(str(journal))) as connection:
        connection.execute("SELECT count(*) FROM facts").fetchall()
        assert frozenset() == write_lock_holders(journal)
        connection.execute("BEGIN IMMEDIATE")
        assert {os.getpid()} == write_lock_holders(journal)
        connection.execute("ROLLBACK")
        assert frozenset() == write_lock_holders(journal)


def test_where_nobody_can_tell_there_are_none(journal: Path, tmp_path: Path) -> None:
    assert frozenset() == write_lock_holders(tmp_path / "another.db")
    with closing(apsw.Connection(str(journal))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert frozenset() == write_lock_holders(journal, tmp_path / "locks")


def test_a_node_is_spared_while_another_program_keeps_the_lock(journal: Path, tmp_path: Path) -> None:
    directory = tmp_path / "incarnations"
    deaths = Deaths(directory, lambda: write_lock_holders(journal))
    with running("incarnation_process.py", directory, "trader") as node:
        assert "held" == line_of(node)
        with closing(apsw.Connection(str(journal))) as connection:
            connection.execute("BEGIN IMMEDIATE")
            deaths.shoot("trader")
            assert not deaths.is_dead("trader")

    deaths.close()


async def test_a_node_that_keeps_the_lock_is_ended(tmp_path: Path) -> None:
    directory = tmp_path / "incarnations"
    with running("incarnation_process.py", directory, "trader") as node:
        assert "held" == line_of(node)
        deaths = Deaths(directory, lambda: [node.pid])
        deaths.shoot("trader")
        await deaths.wait_death("trader")
    deaths.close()
