"""A journal as a short life of two nodes leaves it: a fill, a ghost, an order that never arrived, a takeover."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.unit.desk.world import LEASE, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import NewFact

RESTING = {"px": "1.0", "qty": "10"}


@dataclass(frozen=True)
class TradedJournal:
    """Where it lies, and the orders by what befell them."""

    folder: Path
    filled: str
    ghost: str
    absent: str
    taken_over: str
    intent_of_ghost: str
    venue_id_of_ghost: str


async def live_through_it(folder: Path) -> TradedJournal:
    """Let a desk trade on a virtual clock, and return what is left on the disk."""
    async with await World.open(folder) as world:
        first = await world.start(world.node("Buyer", RESTING | {"orders": 4}))
        await world.quote("0.9998", "0.9999")
        await world.run(0.5)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=2)
        await world.quote("1.1")
        await world.run(2.0)
        world.fault("submit", Effect.LOST)
        await world.quote("1.1001")
        await world.run(12.0)
        await world.quote("1.1002")
        await world.run(0.5)
        first.crash()
        heir = world.node("Buyer", RESTING | {"orders": 4, "cancel_at_bid": "1.2"})
        await world.start(heir, Succession.PROVED_DEATH)
        assert heir.seat is not None
        claimed = {"lease": LEASE, "epoch": heir.seat.epoch, "succession": "proved_death", "took_ms": 21.0}
        await world.store.append([NewFact("cluster", "lease.claimed", claimed)], node="node-1", fence=None)
        await world.quote("1.2")
        await world.run(1.0)
        rows = sorted(await world.rows("orders"), key=lambda row: (row["created_ns"], row["intent_id"]))
    filled, ghost, absent, taken_over = rows
    return TradedJournal(
        folder,
        filled=filled["cl_ord_id"],
        ghost=ghost["cl_ord_id"],
        absent=absent["cl_ord_id"],
        taken_over=taken_over["cl_ord_id"],
        intent_of_ghost=ghost["intent_id"],
        venue_id_of_ghost=ghost["venue_order_id"],
    )
