"""A start asks again when the venue wants to be asked: a takeover must not fail for a third of a second's ban."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.desk.world import World
from trading_orchestrator.brokers.budget import VenuePaused
from trading_orchestrator.brokers.port import Balance
from trading_orchestrator.trading.waiting_to_start import CannotStart


@pytest.mark.parametrize(("ban_s", "is_waited_out"), [(1.0, True), (30.0, False)])
async def test_only_a_long_ban_fails_it(tmp_path: Path, ban_s: float, is_waited_out: bool) -> None:
    async with await World.open(tmp_path) as world:
        node = world.node("Buyer", {"orders": 0})
        honest, until_ns = node.broker.balances, world.clock.monotonic_ns() + int(ban_s * 1e9)

        async def banned() -> Sequence[Balance]:
            left_s = (until_ns - world.clock.monotonic_ns()) / 1e9
            if left_s > 0:
                raise VenuePaused("not sent: the venue wants no request", retry_after_s=left_s)
            return await honest()

        node.broker.balances = banned  # type: ignore[method-assign]

        if is_waited_out:
            await world.start(node)
        else:
            with pytest.raises(CannotStart):
                await world.start(node)
