"""What can be done for a desk whose failure lasts: it opens nothing new, or sends nothing, until a person lets it."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.health.health_checker import READY
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.mode_requests import MAY_REPLACE, RECOVERY, mode_requested

UNREAD = ""
"""The mode of a desk whose facts this node has not read, as while it cannot begin: the desk judges when it answers."""


class DeskRepairs:
    """Offers ladders the same requests that an operator makes, which the desk follows wherever it is traded next."""

    def __init__(self, manager: PerpetualOperationsManager) -> None:
        self._manager = manager
        self._desks: dict[str, list[Desk]] = {}
        manager.add_recovery_action("reduce_desk", self.reduce, repairs=False)
        manager.add_recovery_action("halt_desk", self.halt, repairs=False)

    def watch(self, desk: Desk, venue: str) -> None:
        """Offer it for one more desk, when it fails itself or the part that its venue is watched as."""
        for part in (desk.lease, venue):
            self._desks.setdefault(part, []).append(desk)

    async def reduce(self, failure: Failure) -> str:
        """Take no new risk."""
        return await self._ask(failure, "reduce_only")

    async def halt(self, failure: Failure) -> str:
        """Send nothing but cancels."""
        return await self._ask(failure, "halted")

    async def _ask(self, failure: Failure, mode: str) -> str:
        """Raises what the journal raises, and Refused when there is nothing to make safe any more."""
        desks = self._found(failure.part)
        await self._check_it_still_fails(failure.part)
        store, said = self._manager.store, []
        for desk in desks:
            if desk.mode not in (*MAY_REPLACE[mode], UNREAD):
                said.append(f"desk {desk.name} is {_words(desk.mode)} already")
                continue
            reason = f"{failure.part}: {failure.reason}" if failure.reason else failure.part
            request = mode_requested(desk.name, mode, by=RECOVERY, reason=reason)
            await store.append([request], node=self._manager.node, fence=None)
            said.append(f"desk {desk.name} is to be {_words(mode)}; `desk resume {desk.name}` lets it trade again")
        return "; ".join(said)

    async def _check_it_still_fails(self, part: str) -> None:
        """A person must lift what is done here, and the report calls a part down for some rounds after it answered."""
        health = await self._manager.health.word_of(part)
        if health is not None and health.state in READY:
            raise Refused(f"{part} works again: {health.reason or health.state.value}", part=part)

    def _found(self, part: str) -> Sequence[Desk]:
        found = self._desks.get(part)
        if not found:
            raise Refused(f"{part} is no desk of this node, nor the venue of one", part=part)
        return found


def _words(mode: str) -> str:
    return mode.replace("_", " ")
