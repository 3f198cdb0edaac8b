"""Probes of the trading wing: each desk and its venue, as the node that hosts them sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from trading_orchestrator.app.trading_ladders import TRADING_LADDERS
from trading_orchestrator.app.venue_pulse import VenuePulse
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.trading.desk import Desk


def watch_desk(
    manager: PerpetualOperationsManager, desk: Desk, pulse: VenuePulse, mute_streams: Callable[[], int]
) -> None:
    """Watch a desk as `desk/NAME` and its venue as `broker/NAME`; a node that stands by blames nobody.

    Args:
        mute_streams: how often a stream of the venue was found mute until now.
    """

    async def venue() -> Health:
        pulse.streams_were_mute(mute_streams())
        return pulse.health() if desk.acts else Health(HealthState.HEALTHY, "standing by")

    async def own() -> Health:
        return desk.health()

    manager.add_probe(f"broker/{desk.name}", venue)
    manager.add_probe(desk.lease, own, depends_on=["journal", f"broker/{desk.name}"])


def watch_standby(manager: PerpetualOperationsManager, others_ready: Callable[[], Awaitable[Sequence[str]]]) -> None:
    """Watch whether another node could take over; before the first one came, nobody is missed."""
    seen = False

    async def standby() -> Health:
        nonlocal seen
        others = await others_ready()
        seen = seen or bool(others)
        if others:
            return Health(HealthState.HEALTHY, f"{others[0]} is ready")
        if not seen:
            return Health(HealthState.HEALTHY, "none was ready yet")
        return Health(HealthState.DEGRADED, "no other node is ready; the keeper starts one", "node.death")

    manager.add_probe("standby", standby, depends_on=["journal"])


def add_trading_ladders(manager: PerpetualOperationsManager) -> None:
    """Let failures of the trading wing climb their own ladders; those of the config go before them."""
    configured = {ladder.failure for ladder in manager.config.recovery.ladders}
    for ladder in TRADING_LADDERS:
        if ladder.failure not in configured:
            manager.add_ladder(ladder)
