"""The end of a chaos run: trade on, stop in order, let the books settle, and hear the judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.chaos.judge import Evidence, findings, read_journal, unanswered
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At

ACCOUNT = "demo"
STATES = {
    "NEW": At.NEW,
    "PARTIALLY_FILLED": At.PARTIALLY_FILLED,
    "FILLED": At.FILLED,
    "CANCELED": At.CANCELED,
    "EXPIRED": At.EXPIRED,
    "EXPIRED_IN_MATCH": At.EXPIRED,  # it would have traded with another of ours
}
"""The venue's words for where an order is, and ours."""


def wait_for_orders(system: RunningSystem, node: str, *, at_least: int) -> None:
    wait_until(
        lambda: system.orders_by(node) >= at_least, within_s=30, what=f"{at_least} orders of {node}", every_s=0.1
    )


def settle_and_judge(system: RunningSystem, venue: VenueProcess, *, trades_on: bool = True) -> None:
    """Trade on, stop in order; then a last start without strategies books whatever the venue did in between.

    It cancels what rests as well: nobody decides about it any more.
    """
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
    code, took_s = system.stop()
    assert 0 == code
    assert took_s < 5


def all_wrongs(system: RunningSystem, venue: VenueProcess) -> list[str]:
    """Return what the judge says, with what only time may mend, and where a row contradicts the venue."""
    evidence = Evidence(venue.log(), read_journal(system.journal))
    said = [finding.sentence for finding in [*findings(evidence), *unanswered(evidence)]]
    return [*said, *(f"order {name} is open at the venue" for name in evidence.venue_open()), *unlike(system, venue)]


def unlike(system: RunningSystem, venue: VenueProcess) -> list[str]:
    """Return the orders that our rows hold in another state than the venue does, or in none that can last."""
    rows = system.query("SELECT key, CAST(value AS TEXT) FROM projection WHERE name = 'orders'")
    ours = {str(key): At(json.loads(value)["state"]) for key, value in rows}
    at_venue = {str(order["clientOrderId"]): STATES[order["status"]] for order in _orders_at(venue)}
    return contradictions(ours, at_venue)


def contradictions(ours: Mapping[str, At], at_venue: Mapping[str, At]) -> list[str]:
    lasting = [
        f"order {name}: nothing ends where it is, {state.value}"
        for name, state in ours.items()
        if state not in ORDER_LIFE.terminal
    ]
    differing = [
        f"order {name}: expected {state.value} as at the venue, was {found.value if found else 'unknown here'}"
        for name, state in at_venue.items()
        if (found := ours.get(name)) is not state
    ]
    return [*lasting, *differing]


def _orders_at(venue: VenueProcess) -> list[dict[str, Any]]:
    """Return ours, which are all but a human's."""
    return [order for order in venue.account_state(ACCOUNT)["orders"] if not order["external"]]
