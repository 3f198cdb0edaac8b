"""Named points where a test may hold a process and kill it from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

FaultPoint = Callable[[str], Awaitable[None]]


async def no_fault(name: str) -> None:
    """The production fault point: does nothing."""
