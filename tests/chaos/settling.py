"""The end of a chaos run: trade on, stop in order, let the books settle, and hear the judge."""

from __future__ import annotations

from tests.chaos.judge import Evidence, read_journal, wrongs
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.journal.verify import verify


def wait_for_orders(system: RunningSystem, node: str, *, at_least: int) -> None:
    wait_until(
        lambda: system.orders_by(node) >= at_least, within_s=30, what=f"{at_least} orders of {node}", every_s=0.1
    )


def settle_and_judge(system: RunningSystem, venue: VenueProcess, *, trades_on: bool = True) -> None:
    """Trade on, stop in order; then a last start without strategies books whatever the venue did in between."""
    if trades_on:
        _, node = system.wait_trading()
        wait_for_orders(system, node, at_least=50)
    if system.is_running():
        system.stop()
    system.strategies, system.more = 0, ""
    system.start()
    system.wait_trading()
    try:
        wait_until(lambda: not all_wrongs(system, venue), within_s=20, what="journal and venue to agree", every_s=0.5)
    except AssertionError:
        assert [] == all_wrongs(system, venue)
    assert verify(system.journal).ok
    assert [] == unresolved(system)
    code, took_s = system.stop()
    assert 0 == code
    assert took_s < 5


def all_wrongs(system: RunningSystem, venue: VenueProcess) -> list[str]:
    return wrongs(Evidence(venue.log(), read_journal(system.journal)))


def unresolved(system: RunningSystem) -> list[str]:
    """Return the orders that our rows call open and the venue does not know as open."""
    return [
        str(key)
        for key, value in system.query("SELECT key, value FROM projection WHERE name = 'orders'")
        if b'"UNKNOWN"' in bytes(value)
    ]
