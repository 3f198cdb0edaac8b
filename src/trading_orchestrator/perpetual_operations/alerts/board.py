"""From a plan to the switchboard: every channel opened, and an error that names the channel's place in the file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.channels.address import UrlRefused
from trading_orchestrator.perpetual_operations.alerts.channels.kinds import kind_named
from trading_orchestrator.perpetual_operations.alerts.channels.log.channel import LogRefused
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.delivery import Ways
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import target_of
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.loading import REFERENCES, Plan, check_secrets
from trading_orchestrator.perpetual_operations.alerts.secret_reference import SecretRefused, revealed
from trading_orchestrator.perpetual_operations.alerts.switchboard import ChannelUnknown, FallbackCircle, Switchboard
from trading_orchestrator.perpetual_operations.alerts.templates.template import TemplateRefused


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
        check_secrets(plan)  # it names the very key of a reference that leads nowhere
        raise plan.place.refused(("channels", *_culprit(plan, kinds, opening, error)), error.message) from None


async def try_out(plan: Plan, opened: Callable[[Plan], Switchboard]) -> None:
    """Open every channel, let those that can be checked be checked (all at once), and close them again.

    Raises:
        ConfigRefused: a channel would carry nothing; the sentence names file, line, key and reason.
    """
    board = opened(plan)
    try:
        found = await asyncio.gather(*(one.check() for one in board.to_check.values()), return_exceptions=True)
    finally:
        await board.close()
    for name, error in zip(board.to_check, found, strict=True):
        if isinstance(error, Refused):
            raise plan.place.refused(("channels", name, "url"), error.message)
        if error is not None:
            raise error


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


def _culprit(plan: Plan, kinds: Mapping[str, str], opening: Opening, error: Refused) -> Sequence[str]:
    """Return the channel that cannot be opened, and its key."""
    if isinstance(error, ChannelUnknown | FallbackCircle):
        return next((name, "fallback") for name, config in plan.channels.items() if _leads_to(error, name, config))
    for name, config in plan.channels.items():
        try:
            Switchboard({name: kinds[name]}, {name: msgspec.structs.replace(config, fallback=None)}, opening)
        except Refused:
            return name, *_key_of(error, kinds[name], plan.config.channels[name])
    return ()


def _leads_to(error: Refused, name: str, config: LaneConfig) -> bool:
    if isinstance(error, ChannelUnknown):
        return config.fallback == error.facts["channel"]
    return str(error.facts["channels"]).startswith(name)


def _key_of(error: Refused, kind: str, values: Mapping[str, object]) -> Sequence[str]:
    match error:
        case UrlRefused():
            return ("url",)
        case SecretRefused():
            return [key for key in kind_named(kind).secrets if not str(values.get(key, "env:")).startswith(REFERENCES)]
        case TemplateRefused():
            return ("texts",)
        case LogRefused():
            return ("path",)
        case _:
            return ()
