"""The wire's node hears of a ban before its look at the budget or after its bytes, as with ccxt; never in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from unittest.mock import Mock

import pytest

from trading_orchestrator.brokers.budget import BudgetConfig, VenuePaused
from trading_orchestrator.brokers.port import CancelRefused, NewOrder, OrdType, Side
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import HostClock, TrueClock
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import RATES
from trading_orchestrator.simulation.wire import BAN_S, Network, Wire

SYMBOL = "EUR/USDT"
ORDER = NewOrder("tro1", SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(1), Decimal("1.1"))


@pytest.mark.parametrize("on", ["submit", "cancel"])
def test_a_ban_told_while_the_node_may_be_stopped_keeps_the_request_back(on: str) -> None:
    loop = VirtualLoop(Chance(1))
    asked_s: list[float] = []
    witness = Mock()
    witness.asked = lambda node: asked_s.append(loop.time())

    async def play() -> None:
        clock, budget = TrueClock(loop, Chance(2)), BudgetConfig(weight_per_min=6_000.0)
        instrument = Instrument(SYMBOL, "EUR", "USDT", Decimal("0.0001"), Decimal("0.1"))
        venue = SimulatedVenue([instrument], clock=clock, balances={"USDT": Decimal(100)})
        network = Network(loop, venue, clock, Chance(3), witness, RATES["none"], budget=budget, names_orders=True)
        wire = Wire(network, "n1", HostClock(loop, Chance(4)))
        call = wire.submit(ORDER) if on == "submit" else wire.cancel(SYMBOL, ORDER.cl_ord_id)
        calling = asyncio.create_task(call)
        loop.call_soon(wire.budget.pause, BAN_S)  # an answer that is read while the call is on its way to its stamp
        with pytest.raises(VenuePaused if on == "submit" else CancelRefused):
            await calling

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
    assert [] == [at_s for at_s in asked_s if at_s < BAN_S]
