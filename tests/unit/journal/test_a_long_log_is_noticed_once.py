"""A long log asks for one checkpoint, and for another only once it has grown by a quarter or started over."""

from __future__ import annotations

from trading_orchestrator.storage.sqlite.checkpoint import LogGuard


def test_it_is_due_at_the_limit_then_after_each_quarter() -> None:
    guard = LogGuard(100)

    assert [100, 125, 150] == [pages for pages in range(160) if guard.is_due(pages)]


def test_a_log_that_started_over_may_grow_to_the_limit_again() -> None:
    guard = LogGuard(100)
    assert guard.is_due(180)

    assert [False, True] == [guard.is_due(99), guard.is_due(100)]
