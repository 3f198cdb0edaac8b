"""The keeper restarts at once after a proven start, and ever later, to a cap, while starts go on failing."""

from __future__ import annotations

from trading_orchestrator.keeper.backoff import Backoff


def test_the_first_restart_waits_for_nothing_and_the_cap_is_kept() -> None:
    backoff = Backoff(cap_s=1.5)

    assert [0.0, 0.25, 0.5, 1.0, 1.5, 1.5] == [backoff.next_s() for _ in range(6)]


def test_a_node_that_was_ready_is_restarted_at_once_again() -> None:
    backoff = Backoff(cap_s=30.0)
    waits = [backoff.next_s() for _ in range(4)]
    backoff.succeeded()

    assert (2.0, 0.0) == (2 * waits[-1], backoff.next_s())
