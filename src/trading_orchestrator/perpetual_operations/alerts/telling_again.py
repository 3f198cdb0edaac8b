"""Tells again what still fires, by channels whose receiver forgets: an Alertmanager keeps no alert over its restart."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.facts import Notified
from trading_orchestrator.perpetual_operations.alerts.loading import Plan
from trading_orchestrator.perpetual_operations.alerts.message import listed, notified_on_the_wall_clock
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard

log = logging.getLogger(__name__)
EVERY_S = 60.0


async def tell_again(manager: AlertManager, plan: Plan, board: Switchboard, clock: Clock) -> None:
    """Every minute, until cancelled. No message: it is not journaled, and one that fails is made up for by the next."""
    while True:
        await clock.sleep(EVERY_S)
        for name, channel in board.forgetful.items():
            receivers = {receiver for receiver, config in plan.receivers.items() if name in config.channels}
            try:
                if alerts := still_told(manager, receivers):
                    await channel.tell_again(alerts)
            except OrchestratorError as error:
                log.info("%s was not told again of what fires: %s", name, error.message)


def still_told(manager: AlertManager, receivers: Collection[str]) -> Sequence[Notified]:
    """Return what these receivers were told that fires, lately enough for it to count, and that still does."""
    now_ns = manager.now_ns()
    names = {
        name: None
        for (_, receiver), told in manager.state.told.items()
        if receiver in receivers and told.expires_at_ns > now_ns
        for name in told.firing
    }
    lead_ns = now_ns - manager.wall_ns()
    known = [alert for name in names if (alert := manager.engine.alert(name)) is not None]
    firing = [one for alert in known for one in listed([alert], now_ns, send_resolved=False)[0]]
    return [notified_on_the_wall_clock(one, lead_ns) for one in firing]
