"""F27: SIGSTOP for three TTLs, then SIGCONT: the successor trades, and the zombie sends nothing that counts."""

from __future__ import annotations

import os
import signal
import time

import apsw
import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
TTL_S = 2.0


def test_a_frozen_trader_does_no_harm(system: RunningSystem, venue: VenueProcess) -> None:
    pid, zombie = trading(system)
    held = venue.fault(effect="hold_request", call="order.place", delay_ms=round(3000 * TTL_S))
    wait_until(lambda: has_struck(venue, held), within_s=10, what="a request to be on its way for long")
    freeze(system, pid, in_transaction=False)
    frozen_at = time.monotonic()
    successor = wait_for_successor(system, zombie)
    wait_for_orders(system, successor, at_least=50)
    time.sleep(max(0.0, 3 * TTL_S - (time.monotonic() - frozen_at)))
    pos, venue_lines = system.last_pos(), len(venue.log())

    os.kill(pid, signal.SIGCONT)
    wait_for_orders(system, successor, at_least=system.orders_by(successor) + 100)

    assert [] == facts_of_the_desk_by(system, zombie, after=pos)
    assert [] == accepted_from(system, venue, zombie, after=venue_lines)
    old_one = wait_until(lambda: refused_as_too_old(system, venue, zombie), within_s=10, what="the old request's end")
    assert len(old_one) <= 2  # another may have stood between its last look at the lease and its bytes
    settle_and_judge(system, venue)


@pytest.mark.long
def test_a_trader_frozen_inside_a_transaction_is_shot(system: RunningSystem, venue: VenueProcess) -> None:
    pid, zombie = trading(system)
    freeze(system, pid, in_transaction=True)

    successor = wait_for_successor(system, zombie)

    wait_for_orders(system, successor, at_least=50)
    assert f"{zombie} keeps the journal locked: ending that process" in system.log.read_text()
    settle_and_judge(system, venue)


@pytest.mark.long
def test_a_trader_that_hangs_is_killed_and_taken_over(system: RunningSystem, venue: VenueProcess) -> None:
    system.start()
    pid, node = system.wait_trading()
    wait_for_orders(system, node, at_least=50)

    os.kill(pid, signal.SIGSTOP)
    stopped_at = time.monotonic()
    wait_until(lambda: system.holder() not in (None, (pid, node)), within_s=10, what="a successor")
    print(f"\nhang -> successor holds the desk: {time.monotonic() - stopped_at:.2f} s")

    assert "has not turned its event loop" in system.log.read_text()
    settle_and_judge(system, venue)


def trading(system: RunningSystem) -> tuple[int, str]:
    """Start without the hang kill and return (pid, node) of the trader in full swing."""
    system.hang_kill_s = 0.0
    system.lease_ttl_s = TTL_S
    system.start()
    pid, node = system.wait_trading()
    wait_for_orders(system, node, at_least=50)
    return pid, node


def freeze(system: RunningSystem, pid: int, *, in_transaction: bool) -> None:
    """Stop the process at an instant at which it does, or does not, hold the journal's write lock."""
    for _ in range(2000):
        os.kill(pid, signal.SIGSTOP)
        if is_locked(system) == in_transaction:
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.003)
    raise AssertionError(f"expected an instant with in_transaction={in_transaction} within 2000 tries")


def is_locked(system: RunningSystem) -> bool:
    connection = apsw.Connection(str(system.journal))
    connection.set_busy_timeout(50)
    try:
        connection.execute("BEGIN IMMEDIATE; ROLLBACK")
    except apsw.BusyError:
        return True
    finally:
        connection.close()
    return False


def wait_for_successor(system: RunningSystem, zombie: str) -> str:
    def other() -> str | None:
        holder = system.holder()
        return holder[1] if holder is not None and holder[1] != zombie else None

    successor = wait_until(other, within_s=8 * TTL_S, what="a successor to claim the desk")
    assert successor is not None
    return successor


def facts_of_the_desk_by(system: RunningSystem, node: str, *, after: int) -> list[tuple[object, ...]]:
    return system.query(
        "SELECT facts.pos, kind FROM facts JOIN heads ON heads.id = facts.stream "
        "WHERE facts.pos > ? AND node = ? AND heads.stream LIKE 'desk/%'",
        after,
        node,
    )


def has_struck(venue: VenueProcess, fault_id: int) -> bool:
    faults = venue.control("GET", "faults")["faults"]
    return any(fault["id"] == fault_id and fault["acted"] for fault in faults)


def accepted_from(system: RunningSystem, venue: VenueProcess, node: str, *, after: int) -> list[str]:
    """Return the zombie's orders that the venue accepted after it was let go."""
    its_own = orders_of(system, node)
    late = [fact for fact in venue.log()[after:] if fact["kind"] == "order.accepted"]
    return [fact["client_order_id"] for fact in late if fact["client_order_id"] in its_own]


def refused_as_too_old(system: RunningSystem, venue: VenueProcess, node: str) -> list[str]:
    """Return the zombie's orders that the venue refused for their time stamp (-1021)."""
    its_own = orders_of(system, node)
    old = [fact for fact in venue.log("request.refused") if fact["code"] == -1021]
    return [fact["client_order_id"] for fact in old if fact["client_order_id"] in its_own]


def orders_of(system: RunningSystem, node: str) -> set[str]:
    rows = system.query("SELECT json_extract(CAST(body AS TEXT), '$.order.cl_ord_id') FROM facts WHERE node = ? "
                        "AND kind = 'order.intended'", node)  # fmt: skip
    return {str(row[0]) for row in rows}
