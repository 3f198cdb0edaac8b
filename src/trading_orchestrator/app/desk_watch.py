"""Probes of the trading wing: each desk and the other nodes, as the node that hosts them sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from trading_orchestrator.app.desk_repairs import DeskRepairs
from trading_orchestrator.app.neighbours import Neighbours
from trading_orchestrator.app.strategy_repairs import StrategyRepairs
from trading_orchestrator.app.trading_ladders import TRADING_LADDERS
from trading_orchestrator.app.venue_pulse import VenuePulse
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import Lever
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.trading.desk import Desk


@dataclass(frozen=True)
class TradingRepairs:
    """What ladders can do for desks and for their strategies."""

    desks: DeskRepairs
    strategies: StrategyRepairs

    def watch(self, desk: Desk, venue: str) -> None:
        """Watch the strategies of one more desk, and offer ladders what can be done for it.

        Args:
            venue: the part that its venue is watched as.
        """
        self.desks.watch(desk, venue)
        self.strategies.watch(desk)


def watch_desk(
    manager: PerpetualOperationsManager,
    desk: Desk,
    venue: str,
    pulse: VenuePulse,
    venue_offset_s: Callable[[], Awaitable[float]],
) -> None:
    """Watch a desk as `desk/NAME`. It does not make the console unready: who looks at an outage needs it most.

    Args:
        venue: the part that its venue is watched as.
        venue_offset_s: asks the venue for its time now; what it tells unasked is the pulse's to pass on.
    """
    reference = f"the venue of {desk.name}"
    manager.guards.clock.add_reference(reference, venue_offset_s)
    pulse.on_offset(partial(manager.guards.clock.heard, reference))

    manager.add_probe(desk.lease, AtOnce(desk.health), depends_on=["journal", venue], for_readiness=False)


def offer_spared_strategies(manager: PerpetualOperationsManager, desks: Sequence[Desk]) -> None:
    """Let ResourceMonitor have strategies that are not critical open nothing new, where there are any."""
    having = [desk for desk in desks if desk.non_critical]

    def spare(*, on: bool) -> None:
        for desk in having:
            desk.spare(on=on)

    if having:
        lever = Lever(partial(spare, on=True), partial(spare, on=False))
        manager.guards.resources.add_lever("non_critical_strategies", lever)


def watch_standby(manager: PerpetualOperationsManager, neighbours: Neighbours) -> None:
    """Watch whether another node could take over, and what ended those that could."""
    manager.add_probe("standby", neighbours.health, depends_on=["journal"], for_readiness=False, is_proof=True)


def offer_trading_repairs(manager: PerpetualOperationsManager, neighbours: Neighbours) -> TradingRepairs:
    """Let failures of the trading wing climb their own ladders; those of the config go before them.

    Call it before the manager watches, which refuses ladders whose actions it does not know.
    """

    async def wait_for_keeper(failure: Failure) -> str:
        return await neighbours.wait_for_another()

    manager.add_recovery_action("wait_for_keeper", wait_for_keeper)
    configured = {ladder.failure for ladder in manager.config.recovery.ladders}
    for ladder in TRADING_LADDERS:
        if ladder.failure not in configured:
            manager.add_ladder(ladder)
    return TradingRepairs(DeskRepairs(manager), StrategyRepairs(manager))
