"""One desk's strategy loops for ever: both kill switches and the other desk's cancels reach the venue in time.

In time by the venue's own log.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.judge import Evidence, read_journal, wrongs
from tests.conftest import Figures
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.mode_requests import mode_requested

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
ORDERS = 3
HANG_KILL_S = 1.5  # after it a standby takes the desk, and the switch is pressed there
WITHIN_S = 2.0
BUSY_HOST_S = 1.5
"""What the suite's own processes may take from two cores: the bound is a promise of the design, not of this host."""
STRATEGIES = """
[[trading.desk.{desk}.strategies]]
name = "resting"
class = "tests.chaos.resting:Resting"
params = {{ symbol = "EUR/USDT", orders = {orders}, cancel_when = "{cancel_when}" }}
"""
STUCK = """
[[trading.desk.{desk}.strategies]]
name = "stuck"
class = "tests.chaos.stuck:Stuck"
params = {{ symbol = "EUR/USDT", when = "{when}" }}
"""
SECOND = """
[brokers.second]
exchange = "binance"
live = false
api_key = "second-key"
secret = "second-secret"
timeout_s = 1.0
validity_s = 1.0
[brokers.second.urls.api]
public = "{rest}/api/v3"
private = "{rest}/api/v3"
v1 = "{rest}/api/v1"
sapi = "{rest}/sapi/v1"
ws = {{ spot = "{ws}/ws", ws-api = {{ spot = "{ws}/ws-api/v3" }} }}
[trading.desk.second]
broker = "second"
symbols = ["EUR/USDT"]
isolation = "{isolation}"
[trading.desk.second.risk]
max_order_qty = "1000"
max_order_notional = "2000"
max_position_qty = "5000"
max_open_orders = 40
price_collar_ratio = "0.05"
"""
DESKS = {"practice": "demo", "second": "second"}
"""Each desk with its account at the venue."""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    accounts = [f"{name}:{name}-key:{name}-secret:EUR=100000,USDT=100000" for name in DESKS.values()]
    process = VenueProcess.start_new(tmp_path / "venue", account=accounts)
    yield process
    process.stop()


@pytest.mark.parametrize("looping", DESKS)
def test_both_desks_are_emptied_in_time(
    tmp_path: Path, venue: VenueProcess, root: Path, looping: str, figures: Figures
) -> None:
    when = tmp_path / "loop"
    system = system_of_two_desks(tmp_path, venue, root, looping, isolation="process")
    system.start()
    try:
        wait_for_orders(system)
        assert ["a", "own0"] == [slot_of(system, desk) for desk in DESKS]

        asyncio.run(loop_and_press(system, when))
        wait_until(lambda: not any(resting(venue).values()), within_s=60, what="no open order at the venue")

        took = {desk: took_s(system, venue, desk) for desk in DESKS}
        with figures():
            print(f"\n{looping} loops; kill switch to the last cancel: {took}")
        (other,) = set(DESKS) - {looping}
        assert took[other] < WITHIN_S
        assert took[looping] < WITHIN_S + BUSY_HOST_S
        assert [] == wrongs(Evidence(venue.log(), read_journal(system.journal)))
    finally:
        system.kill_all()


@pytest.mark.parametrize(("isolation", "homes", "within_s"), [
    ("process", ["a", "own0"], WITHIN_S),
    ("shared", ["a", "a"], WITHIN_S + BUSY_HOST_S),
])  # fmt: skip
def test_an_ordinary_cancel_of_the_other_desk_is_not_held_up(
    tmp_path: Path, venue: VenueProcess, root: Path, isolation: str, homes: list[str], within_s: float, figures: Figures
) -> None:
    """Also on the very node whose loop stands still: the standby takes both desks, and its strategy cancels."""
    system = system_of_two_desks(tmp_path, venue, root, looping="practice", isolation=isolation)
    system.start()
    try:
        wait_for_orders(system)
        assert homes == [slot_of(system, desk) for desk in DESKS]

        let_loop(tmp_path / "loop")
        told = tmp_path / "cancel second"
        told.touch()
        wait_until(lambda: not resting(venue)["second"], within_s=60, what="no open order of the other desk")

        took = round(last_cancel_s(venue, "second") - told.stat().st_mtime_ns / 1e9, 3)
        with figures():
            print(f"\npractice loops, second ({isolation}) is told to cancel; to its last cancel: {took} s")
        assert took < within_s
        assert ORDERS == resting(venue)["practice"], "nobody told the desk that loops"
        assert [] == wrongs(Evidence(venue.log(), read_journal(system.journal)))
    finally:
        system.kill_all()


def system_of_two_desks(
    folder: Path, venue: VenueProcess, root: Path, looping: str, *, isolation: str
) -> RunningSystem:
    """Return a system that is not started; one desk's second strategy loops once the file `loop` is there."""
    own = isolation == "process"
    system = RunningSystem(folder, venue, strategies=0, hang_kill_s=HANG_KILL_S, nodes_ready=3 if own else 2)
    system.environ = os.environ | {"PYTHONPATH": f"{root}/src:{root}"}
    system.more = SECOND.format(rest=venue.rest_url, ws=venue.ws_url, isolation=isolation)
    for desk in DESKS:
        system.more += STRATEGIES.format(desk=desk, orders=ORDERS, cancel_when=folder / f"cancel {desk}")
    system.more += STUCK.format(desk=looping, when=folder / "loop")
    return system


def wait_for_orders(system: RunningSystem) -> None:
    system.wait_trading(60)
    wait_until(lambda: resting(system.venue) == dict.fromkeys(DESKS, ORDERS), within_s=30, what="orders that rest")


def let_loop(when: Path) -> None:
    when.touch()
    wait_until(lambda: not when.exists(), within_s=30, what="a strategy to loop", every_s=0.005)


def slot_of(system: RunningSystem, desk: str) -> str:
    holder = system.holder(f"desk/{desk}")
    return "" if holder is None else holder[1].partition("-")[0]


def resting(venue: VenueProcess) -> dict[str, int]:
    """Return how many orders of each desk rest at the venue, by its own log."""
    ended = {fact["order_id"] for fact in venue.log("order.canceled", "order.expired")}
    open_ = [fact["account"] for fact in venue.log("order.accepted") if fact["order_id"] not in ended]
    return {desk: open_.count(account) for desk, account in DESKS.items()}


async def loop_and_press(system: RunningSystem, when: Path) -> None:
    """Let the strategy loop and press both kill switches at once: the command's own request, without its imports,
    for those take as long as the keeper takes to end the node.
    """
    store = await open_store(system.journal, clock=SystemClock(), create=False)
    try:
        let_loop(when)
        requests = [mode_requested(desk, "killed", by="test", reason="a strategy loops") for desk in DESKS]
        await store.append(requests, node="operator", fence=None)
    finally:
        await store.close()


def took_s(system: RunningSystem, venue: VenueProcess, desk: str) -> float:
    """Return the time from the durable command to the last cancel in the venue's log; both are this host's clock."""
    rows = system.query("SELECT at_ns, CAST(body AS TEXT) FROM facts WHERE kind = 'desk.mode_requested'")
    (pressed_ns,) = [int(at_ns) for at_ns, body in rows if json.loads(str(body))["desk"] == desk]
    return round(last_cancel_s(venue, desk) - pressed_ns / 1e9, 3)


def last_cancel_s(venue: VenueProcess, desk: str) -> float:
    """Return when the last order of the desk was canceled, in seconds of this host's clock."""
    canceled = [float(fact["at_ms"]) for fact in venue.log("order.canceled") if fact["account"] == DESKS[desk]]
    assert ORDERS == len(canceled)
    return max(canceled) / 1e3
