"""From a plan to the switchboard: every channel opened, and an error that names the channel's place in the file."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.delivery import Ways
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import target_of
from trading_orchestrator.perpetual_operations.alerts.loading import Plan
from trading_orchestrator.perpetual_operations.alerts.secret_reference import revealed
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard


def open_board(plan: Plan, clock: Clock, meter: Meter | None = None) -> Switchboard:
    """Return every channel, open; secrets are read here and nowhere else.

    Args:
        meter: where the channels are counted; None counts for this board alone.

    Raises:
        ConfigRefused: a channel cannot be opened; the sentence names file, line, key and reason.
    """
    opening = Opening(clock, revealed, plan.config.external_url, meter or Meter())
    kinds = {name: str(values.get("kind")) for name, values in plan.config.channels.items()}
    try:
        return Switchboard(kinds, plan.channels, opening)
    except Refused as error:
        raise plan.place.refused(("channels", _culprit(plan, kinds, opening)), error.message) from None


def ways_of(plan: Plan, board: Switchboard) -> Mapping[str, Ways]:
    """Return the ways to each receiver."""
    return {name: board.ways(receiver.channels) for name, receiver in plan.receivers.items()}


def contacts_of(plan: Plan, board: Switchboard) -> Mapping[str, Ways]:
    """Return the ways to each person by `PERSON/CHANNEL`, and to the rooms that ladders name."""
    people = {
        f"{name}/{contact.channel}": [board.way(contact.channel)]
        for name, user in plan.config.users.items()
        for contact in user.contacts
    }
    targets = {
        target for ladder in plan.config.escalations.values() for step in ladder.steps for target in step.targets
    }
    rooms = {name for kind, name in map(target_of, targets) if kind == "channel"}
    return people | {f"channel:{name}/{name}": [board.way(name)] for name in rooms}


def _culprit(plan: Plan, kinds: Mapping[str, str], opening: Opening) -> str:
    """Return the channel that cannot be opened by itself; else it is about fallbacks, and any key will do."""
    for name, config in plan.channels.items():
        try:
            Switchboard({name: kinds[name]}, {name: msgspec.structs.replace(config, fallback=None)}, opening)
        except Refused:
            return name
    return next((name for name, config in plan.channels.items() if config.fallback), "")
