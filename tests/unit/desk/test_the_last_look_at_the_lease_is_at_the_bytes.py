"""A process may be stopped between any two turns of its loop: the look at the lease is in the turn that sends."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import Node, World


async def test_a_desk_stopped_while_its_order_is_about_to_leave_sends_nothing_afterwards(tmp_path: Path) -> None:
    """Found by simulation: a node stopped beyond its lease sent the order when it went on, stamped anew."""
    async with await World.open(tmp_path) as world:

        async def stopped_for_long(point: str) -> None:
            if point == "order.in_flight" and node.seat is not None:
                node.seat.acts = False

        node: Node = world.node("Buyer", {"px": "1.1000"}, fault=stopped_for_long)
        await world.start(node)
        await world.quote("1.2000")
        await world.run(0.1)

        assert [] == world.submits
        assert [] == world.venue.orders()
        assert ["unknown"] == await world.order_states()
