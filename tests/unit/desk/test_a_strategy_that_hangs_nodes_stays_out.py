"""Two nodes ended while one strategy kept their loop: it stays out, the desk only reduces, a human lets it back."""

from __future__ import annotations

from pathlib import Path

from tests.leases import holder_of
from tests.unit.desk.world import LEASE, Node, TestSeat, World
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import DeskModeChanged, StrategyBlamed
from trading_orchestrator.trading.mode_requests import mode_requested


async def succeed(world: World, *, hung_in: str) -> Node:
    """Let the trading node die and another take over, having seen what the dead one hung in."""
    if world.nodes:
        world.nodes[-1].crash()
    heir = world.node("Turner", {"turns": "bbbb"})
    await world.warm(heir)
    dead = await holder_of(world.store, LEASE)
    row = await world.store.claim_lease(LEASE, holder=f"n{len(world.nodes)}", ttl_s=3.0, dead_holder=dead)
    heir.seat = TestSeat(row.epoch, Succession.PROVED_DEATH)
    heir.seat.hung_in = hung_in
    await world.until_done(heir.desk.take(heir.seat))
    await world.quote("1.1" + str(len(world.nodes)))
    await world.run(0.3)
    return heir


async def sent(world: World) -> int:
    return len(await world.facts("order.intended"))


async def test_once_is_noted_and_twice_keeps_it_out(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await succeed(world, hung_in="")
        await succeed(world, hung_in="s")
        assert 2 == await sent(world)
        assert [] == await world.facts("desk.mode_changed")

        heir = await succeed(world, hung_in="s")

        assert 2 == await sent(world)
        assert [1, 2] == [one.times for one in await world.facts("strategy.blamed") if isinstance(one, StrategyBlamed)]
        (change,) = await world.facts("desk.mode_changed")
        assert isinstance(change, DeskModeChanged)
        assert ("reduce_only", "desk") == (change.mode, change.by)
        assert "strategy s: it was at work when 2 nodes hung or crashed" in heir.desk.health().reason


async def test_a_human_who_says_normal_lets_it_back_with_the_next_start(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        for hung_in in ("", "s", "s"):
            await succeed(world, hung_in=hung_in)
        before = await sent(world)
        lifted = mode_requested("paper", "normal", by="ops", reason="it is mended")
        await world.store.append([lifted], node="ops", fence=None)
        await world.run(0.5)
        await succeed(world, hung_in="")

        assert before + 1 == await sent(world)


async def test_a_hang_in_what_is_none_of_its_strategies_blames_nobody(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await succeed(world, hung_in="another")

        assert [] == await world.facts("strategy.blamed")
