"""What can be done for a strategy while its desk trades on: it begins anew, or it is disabled for a person."""

from __future__ import annotations

from functools import partial

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce, Kind
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.staff import CallbackUnderWay
from trading_orchestrator.trading.strategy_health import CRASHED


class StrategyRepairs:
    """Watches each strategy as `strategy/DESK/NAME`, and offers ladders what desks can do for one. One event loop."""

    def __init__(self, manager: PerpetualOperationsManager) -> None:
        self._manager = manager
        self._parts: dict[str, tuple[Desk, str]] = {}
        manager.add_recovery_action("restart_strategy", self.restart)
        manager.add_recovery_action("disable_strategy", self.disable)

    def watch(self, desk: Desk) -> None:
        """Watch the strategies of one more desk."""
        for name in desk.strategies:
            part = f"strategy/{desk.name}/{name}"
            self._parts[part] = (desk, name)
            probe = AtOnce(partial(desk.strategy_health, name))
            self._manager.add_probe(part, probe, depends_on=[desk.lease], kind=Kind.PROGRESS)

    async def restart(self, failure: Failure) -> str:
        """Begin the strategy anew from its saved state; whose callback never returned leaves with its process."""
        desk, name = self._found(failure.part)
        try:
            await desk.restart_strategy(name, failure.reason)
        except CallbackUnderWay as error:
            return f"{error.message}: {await self._manager.recovery.actions['hand_over'](failure)}"
        return f"began {name} anew from its saved state"

    async def disable(self, failure: Failure) -> str:
        """Keep the strategy out until a person lets it back; one that crashed leaves the others to trade on."""
        desk, name = self._found(failure.part)
        if out := desk.stays_out(name):
            return f"{name} stays out already: {out}"
        desk.disable_strategy(name, failure.failure, failure.reason, reduce_only=failure.failure != CRASHED)
        return f"{name} is disabled, its orders are canceled; `desk resume {desk.name}` lets it back"

    def _found(self, part: str) -> tuple[Desk, str]:
        found = self._parts.get(part)
        if found is None:
            raise Refused(f"{part} is no strategy of this node", part=part)
        return found
