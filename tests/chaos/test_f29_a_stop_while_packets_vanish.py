"""F29: told to stop while every packet vanishes, or while there is no way at all, the system ends in its deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.settling import settle_and_judge, wait_for_orders
from tests.integration.faults.wire import Wire, network
from tests.running_system import RunningSystem
from tests.venue_process import VenueProcess

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
LEAVES_WITHIN_S = 8.0
ACCOUNT = "demo:demo-key:demo-secret:EUR=100000000,USDT=100000000"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with network() as wire:
        yield wire


@pytest.fixture
def venue(tmp_path: Path, wire: Wire) -> Iterator[VenueProcess]:
    """A venue behind the wire."""
    options: dict[str, str | list[str]] = {"account": [ACCOUNT], "speed": "2000"}
    process = VenueProcess(tmp_path / "venue", options, host=wire.host, under=wire.under)
    process.start()
    yield process
    process.stop()


def vanishing(wire: Wire, venue: VenueProcess) -> None:
    wire.vanish(venue.port)


def unplugged(wire: Wire, venue: VenueProcess) -> None:
    wire.down()


@pytest.mark.parametrize("cut", [vanishing, pytest.param(unplugged, marks=pytest.mark.long)])
def test_f29_a_stop_ends_within_its_deadline(
    system: RunningSystem, venue: VenueProcess, wire: Wire, cut: Callable[[Wire, VenueProcess], None]
) -> None:
    system.strategies = 1
    system.start()
    _, node = system.wait_trading()
    wait_for_orders(system, node, at_least=50)
    cut(wire, venue)

    code, took_s = system.stop(within_s=20.0)
    print(f"\nstop while nothing passes: {took_s:.1f} s")

    assert (0, []) == (code, system.nodes())
    assert took_s < LEAVES_WITHIN_S
    wire.up()
    settle_and_judge(system, venue, trades_on=False)
