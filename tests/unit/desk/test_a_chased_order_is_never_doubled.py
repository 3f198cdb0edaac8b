"""An order moved again and again, under faults, fills and a takeover: one at a time at the venue, its quantity once."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import OrderIntended

WANTED = Decimal(10)
FAULTS = (
    *(("cancel", effect) for effect in (Effect.NO_ANSWER, Effect.LOST, Effect.LATE, Effect.REFUSED, Effect.NOT_SENT)),
    *(("submit", effect) for effect in (Effect.NO_ANSWER, Effect.LOST, Effect.LATE)),
    *(("report", effect) for effect in (Effect.DROPPED, Effect.TWICE, Effect.SWAPPED, Effect.LATE)),
    *((asked, Effect.LOST) for asked in ("order", "open_orders", "trades")),
)


async def chase(world: World, dice: random.Random, quotes: int) -> None:
    """Move the market by small steps; now and then an ask dips into the order and takes a little of it."""
    for _ in range(quotes):
        bid = Decimal("1.1000") + Decimal(dice.randint(-20, 20)) / 10_000
        ask = bid - Decimal("0.0001") if dice.random() < 0.15 else bid + Decimal("0.0002")
        world.venue.show_quote(SYMBOL, min(bid, ask), ask, Decimal(dice.randint(1, 3)))
        await world.run(dice.choice((0.01, 0.05, 0.4)))


async def start(world: World, succession: Succession = Succession.FIRST) -> Node:
    return await world.start(world.node("Chaser"), succession)


@pytest.mark.parametrize("seed", range(12))
async def test_one_at_a_time_and_its_quantity_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with await World.open(tmp_path, dice.random) as world:
        open_counts = [0]
        world.venue.on_report.append(lambda _: open_counts.append(len(world.venue.open_orders([SYMBOL]))))
        for on, effect in FAULTS:
            world.fault(on, effect, times=3, ratio=0.2, delay_s=0.3)
        first = await start(world)
        await chase(world, dice, 25)
        first.crash()
        heir = await start(world, Succession.PROVED_DEATH)
        await chase(world, dice, 25)
        world.faults.clear()
        world.venue.show_quote(SYMBOL, Decimal("1.1000"), Decimal("1.1002"), Decimal(1))
        await world.run(12.0)

        assert max(open_counts) <= 1
        traded = sum((trade.last_qty for trade in world.venue.trades(SYMBOL)), Decimal(0))
        assert traded <= WANTED
        assert traded == await world.position_qty() == world.venue_position_qty()
        left = sum((report.order_qty - report.cum_qty for report in world.venue.open_orders([SYMBOL])), Decimal(0))
        intended = [fact for fact in await world.facts("order.intended") if isinstance(fact, OrderIntended)]
        replaced = [fact.replaces for fact in intended[1:]]
        assert [fact.order.cl_ord_id for fact in intended[:-1]] == replaced
        ended = await world.facts("replacement.dropped")
        assert left in (WANTED - traded, Decimal(0))
        if left == 0 and traded < WANTED:
            assert ended or "rejected" in await world.order_states() or "abandoned" in await world.order_states()
        assert not heir.desk._shift.record.book.replacements()  # type: ignore[union-attr]
