"""What ladders may do to this process and its host: shed load, make room, measure the clock, hand over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards, nobody_takes_over
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Action, Failure


def own_repairs(guards: Guards, hand_over: Callable[[str], Awaitable[bool]]) -> Mapping[str, Action]:
    """Return the actions by name; what this process cannot do at all is not among them.

    Args:
        hand_over: asks this process to leave in order, because of the reason; False: nobody can take its place now.
    """

    async def shed_load(failure: Failure) -> str:
        return await guards.shed_load(failure.part)

    async def clean_up(failure: Failure) -> str:
        return await guards.clean_up(failure.part)

    async def leave(failure: Failure) -> str:
        if not await hand_over(failure.reason):
            raise Refused("nobody can take this node's place now")
        return "asked this node to hand over"

    async def measure_clock(failure: Failure) -> str:
        return await guards.clock.measure()

    actions: dict[str, Action] = {"measure_clock": measure_clock}
    if guards.resources in guards.parts:
        actions |= {"shed_load": shed_load, "clean_up": clean_up}
    if hand_over is not nobody_takes_over:
        actions["hand_over"] = leave
    return actions
