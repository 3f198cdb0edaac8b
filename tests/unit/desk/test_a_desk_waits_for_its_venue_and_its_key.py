"""A desk that its venue does not let start is held up and says so; it ends no process, and starts when it may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import World
from trading_orchestrator.brokers.port import KeyRefused, NoAnswer
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.trading.waiting_to_start import LONG_S, CannotStart

REFUSED = KeyRefused("-2015 Invalid API-key", venue_code="-2015", text="Invalid API-key")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with await World.open(tmp_path) as found:
        yield found


def raising(error: OrchestratorError) -> Any:
    async def ask(*_: object, **__: object) -> object:
        raise error

    return ask


@pytest.mark.parametrize("error", [NoAnswer("a 503"), Transient("no connection")])
async def test_a_venue_that_is_away_is_named_and_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, error: OrchestratorError
) -> None:
    node = world.node("Buyer")
    with monkeypatch.context() as away:
        away.setattr(node.broker, "connect", raising(error))
        with pytest.raises(CannotStart) as raised:
            await world.warm(node)

    assert f"its venue sim does not answer ({error.message})" == raised.value.message
    await world.start(node)
    assert node.desk.acts


async def test_a_key_refused_at_a_takeover_halts_the_desk_and_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = world.node("Buyer")
    await world.warm(node)
    with monkeypatch.context() as revoked:
        revoked.setattr(node.broker, "balances", raising(REFUSED))
        with pytest.raises(CannotStart) as raised:
            await world.take(node)
    assert "its venue sim refuses the key (-2015 Invalid API-key)" == raised.value.message
    assert ["desk.key_refused", "desk.mode_changed"] == await world.kinds()

    await world.start(node)
    assert node.desk.acts
    assert "halted" in node.desk.health().reason, "a human brings the key that works, and says so"


async def test_who_is_held_up_is_starting_for_a_moment_and_then_unwell(world: World) -> None:
    desk = world.node("Buyer").desk
    desk.held_up("its venue is away")
    assert "its venue is away" in desk.health().reason
    assert HealthState.STARTING == desk.health().state

    await world.run(LONG_S)
    desk.held_up("its venue is still away")
    health = desk.health()
    assert (HealthState.UNHEALTHY, "desk.down") == (health.state, health.failure)
    assert "waits to start, and is tried again: its venue is still away" == health.reason

    desk.held_up("")
    assert "" == desk.health().reason
