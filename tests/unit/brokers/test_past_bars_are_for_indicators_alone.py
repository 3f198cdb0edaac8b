"""A fresh strategy warms up on bars of the past; nobody decides on bars that closed while nobody listened."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.desk.strategies import BarFollower
from tests.unit.desk.world import Node, World
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.market.port import Bar

BAR_NS = 60_000_000_000


class Past:
    """What the venue's history holds: one bar a minute up to now."""

    def __init__(self, world: World, closes: Sequence[int]) -> None:
        self._ends_ns = world.clock.wall_ns() - world.clock.wall_ns() % BAR_NS
        self.closes = list(closes)

    def add(self, close: int) -> None:
        self._ends_ns += BAR_NS
        self.closes.append(close)

    async def bars(self, symbol: str, bar_s: int, *, last: int) -> Sequence[Bar]:
        first_ns = self._ends_ns - len(self.closes) * BAR_NS
        opens = [first_ns + place * BAR_NS for place in range(len(self.closes))]
        prices = [Decimal(close) for close in self.closes]
        return [
            Bar(symbol, open_ns, open_ns + BAR_NS, px, px, px, px, Decimal(1))
            for open_ns, px in zip(opens, prices, strict=True)
        ]


async def follower(world: World, past: Past, succession: Succession = Succession.FIRST) -> tuple[Node, BarFollower]:
    node = world.node("BarFollower", {"bar_s": 60})
    feed: Any = node.desk._feed
    feed.bars = past.bars
    await world.start(node, succession)
    shift: Any = node.desk._shift
    (performer,) = shift.floor.performers
    assert isinstance(performer.strategy, BarFollower)
    return node, performer.strategy


async def test_a_fresh_strategy_warms_up_on_the_newest_bars(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        _, strategy = await follower(world, Past(world, [1, 2, 3, 4, 5]))

        assert [Decimal(3), Decimal(4), Decimal(5)] == strategy.seen
        assert (0, []) == (strategy.state.bars, await world.order_states())


async def test_a_restored_strategy_sees_what_it_missed_and_decides_on_none_of_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        past = Past(world, [1, 2, 3])
        first, _ = await follower(world, past)
        await world.quote("1.1000")
        await world.run(1.0)
        first.crash()
        for close in (7, 8):
            past.add(close)
        await world.clock.advance(120.0)

        _, strategy = await follower(world, past, Succession.PROVED_DEATH)
        await world.run(1.0)

        assert [Decimal(3), Decimal(7), Decimal(8)] == strategy.seen
        assert (0, []) == (strategy.state.bars, await world.order_states())
