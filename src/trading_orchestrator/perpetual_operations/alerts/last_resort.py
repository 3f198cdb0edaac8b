"""The last resort: tells people that alerts can no longer be recorded, by a path that needs no journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.letters import letter_of
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard
from trading_orchestrator.storage.ports import CommitUnknown, JournalCorrupt, StorageUnavailable

log = logging.getLogger(__name__)
NAME, RUNBOOK = "JournalCannotCommit", "journal-cannot-commit"
CANNOT_COMMIT = (StorageUnavailable, CommitUnknown, JournalCorrupt)
PATIENCE_S = 5.0  # a busy disk comes back within it, and people cannot do anything earlier
REPEAT_S = 3600.0
LOOK_EVERY_S = 1.0


class LastResort:
    """Sends by every channel that is a last resort, directly: no outbox, no budget, no circuit.

    What was told is known in memory only: a process that starts anew meanwhile tells again, under a key of its own.
    Use from one event loop.

    Args:
        node: who tells.

    `trouble` says what fails, from the first failure on; "" while nothing does.
    """

    def __init__(self, clock: Clock, *, node: str) -> None:
        self._clock = clock
        self._node = node
        self._board: Switchboard | None = None
        self._since_ns: int | None = None
        self._told_ns: int | None = None
        self._taken: set[str] = set()
        self.told_total = 0
        self.trouble = ""

    @property
    def has_channels(self) -> bool:
        """Return whether there is anybody to tell."""
        return self._board is not None

    async def use(self, board: Switchboard) -> None:
        """Use these channels from now on, opened while all was well; those before are closed."""
        old, self._board = self._board, board
        if old is not None:
            await old.close()

    async def heed(self, error: OrchestratorError) -> None:
        """Take a failure of the journal; once they last for PATIENCE_S, people hear of it. Other errors are nothing."""
        if not isinstance(error, CANNOT_COMMIT):
            return
        now_ns = self._clock.monotonic_ns()
        self.trouble = f"the journal cannot commit: {error.message}"
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns < PATIENCE_S * 1e9:
            return
        if self._told_ns is None or now_ns - self._told_ns >= REPEAT_S * 1e9:
            self._told_ns = now_ns
            self._taken.clear()
            log.critical("%s", self.trouble)
        summary = f"The journal cannot commit: {error.message}. No new order leaves, and no other alert is told."
        left = [lane for lane in self._lanes() if lane.name not in self._taken]
        self._taken.update(await self._tell(self._letter(summary, self._told_ns), left))

    async def over(self) -> None:
        """The journal commits again; whoever heard of the failure hears of its end."""
        since_ns, told_ns, taken = self._since_ns, self._told_ns, self._taken
        self._since_ns, self._told_ns, self._taken, self.trouble = None, None, set(), ""
        if since_ns is None or told_ns is None or not taken:
            return
        lasted_s = (self._clock.monotonic_ns() - since_ns) / 1e9
        log.warning("the journal commits again, after %.0f s", lasted_s)
        letter = self._letter(f"The journal commits again, after {lasted_s:.0f} s.", told_ns, is_resolved=True)
        await self._tell(letter, [lane for lane in self._lanes() if lane.name in taken])

    async def until_it_commits(self, write: Callable[[], Awaitable[None]]) -> None:
        """Tell people for as long as this real, durable write fails; returns when it succeeds, and tells that too."""
        while True:
            try:
                await write()
            except OrchestratorError as error:
                await self.heed(error)
            else:
                await self.over()
                return
            await self._clock.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Let go of every connection."""
        board, self._board = self._board, None
        if board is not None:
            await board.close()

    def _lanes(self) -> Sequence[Lane]:
        return [] if self._board is None else [lane for lane in self._board.lanes.values() if lane.config.last_resort]

    async def _tell(self, letter: Letter, lanes: Sequence[Lane]) -> Sequence[str]:
        """Return the names of the lanes that took it."""
        ends = await asyncio.gather(*(lane.tried(letter) for lane in lanes), return_exceptions=True)
        taken = []
        for lane, end in zip(lanes, ends, strict=True):
            if isinstance(end, str):
                taken.append(lane.name)
            else:
                log.error("the last resort %s failed: %s", lane.name, end)
        self.told_total += len(taken)
        return taken

    def _letter(self, summary: str, told_ns: int, *, is_resolved: bool = False) -> Letter:
        return letter_of(
            key=f"last-resort-{self._node}-{told_ns}{'-end' if is_resolved else ''}",
            receiver="last-resort",
            name=NAME,
            severity="critical",
            summary=summary,
            runbook=RUNBOOK,
            labels={"node": self._node},
            at_ns=self._clock.wall_ns(),
            is_resolved=is_resolved,
        )
