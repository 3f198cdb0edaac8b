"""Paragraph 11: where the venue offers a countdown, a desk keeps it running, and the venue cancels when nobody does."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.kernel.tenancy import Succession

COUNTDOWN_S = 4.0


def counting(world: World) -> Node:
    node = world.node("Turner", {"turns": "B"})
    node.broker.countdown_s = COUNTDOWN_S
    return node


async def resting(world: World) -> Node:
    """Start a desk at a venue that counts down, with an order that rests for longer than the countdown."""
    node = await world.start(counting(world))
    await world.quote("1.1000")
    await world.run(3 * COUNTDOWN_S)
    assert 1 == len(world.venue.open_orders([SYMBOL]))
    return node


async def test_when_the_only_host_dies_the_venue_cancels(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        (await resting(world)).crash()

        await world.run(COUNTDOWN_S + 0.1)

        assert [] == world.venue.open_orders([SYMBOL])


async def test_a_successor_keeps_the_countdown_running(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        (await resting(world)).crash()
        await world.run(COUNTDOWN_S / 2)
        await world.start(counting(world), Succession.PROVED_DEATH)

        await world.run(3 * COUNTDOWN_S)

        assert 1 == len(world.venue.open_orders([SYMBOL]))


async def test_after_a_graceful_stop_orders_rest_as_they_are(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.until_done((await resting(world)).desk.leave(1.0))

        await world.run(3 * COUNTDOWN_S)

        assert 1 == len(world.venue.open_orders([SYMBOL]))
