"""Signs of life: left by the event loop itself, from before its first lease to after its last."""

from __future__ import annotations

from typing import Protocol

from trading_orchestrator.kernel.clock import Clock

BEAT_EVERY_S = 0.1


class Beats(Protocol):
    """Where a node leaves its signs of life."""

    def beat(self) -> None:
        """Leave one."""
        ...


async def keep_beating(beats: Beats, clock: Clock) -> None:
    """Leave a sign of life at every tenth of a second, until cancelled.

    Cancel it last of all: a node that takes long to leave, on a slow disk or a busy machine, does not hang.
    """
    while True:
        beats.beat()
        await clock.sleep(BEAT_EVERY_S)
