"""Named points where a test may hold a process and kill it from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

FaultPoint = Callable[[str], Awaitable[None]]
BYTES_LEAVE_WITHIN_S = 0.05


async def no_fault(name: str) -> None:
    """The production fault point: does nothing."""


class HoldingFaultPoint:
    """Holds the whole process at the point whose name lies as a file in `folder`.

    The rename to `NAME.held.PID` is the report, and makes sure that one process is held once.
    A point that ends in `in_flight` is reached while a request is under way: its bytes get time to leave.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self, name: str) -> None:
        armed = self._folder / name
        if not armed.exists():
            return
        if name.endswith("in_flight"):
            await asyncio.sleep(BYTES_LEAVE_WITHIN_S)
        try:
            armed.rename(self._folder / f"{name}.held.{os.getpid()}")
        except FileNotFoundError:
            return
        while True:
            signal.pause()
