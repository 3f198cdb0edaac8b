"""A strategy may be denied with every quote: what refused it is gone at once, and waits for no collector."""

from __future__ import annotations

import gc
from pathlib import Path

from tests.unit.desk.world import World
from trading_orchestrator.trading.risk.limits import RiskRefused


async def test_nothing_holds_a_refusal_once_it_is_told(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        strategy = {"name": "s", "class": "tests.unit.desk.strategies:Buyer", "params": {"px": "1.0900"}}
        node = await world.start(world.node("Buyer", strategies=[strategy | {"critical": False}]))
        node.desk.spare(on=True)
        gc.disable()
        try:
            await world.quote("1.1000")
            held = [each for each in gc.get_objects() if isinstance(each, RiskRefused)]
        finally:
            gc.enable()

        assert 1 == len(await world.facts("order.denied"))
        assert [] == held
