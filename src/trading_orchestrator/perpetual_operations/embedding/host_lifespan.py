"""Stopping with the program that hosts us: its lifespan, its server, or its event loop, whichever ends first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from starlette.routing import Router

LOOK_EVERY_S = 0.2


class Hosted:
    """Waits for the end of the program and stops the wing then, whole.

    uvicorn waits for open connections before it tells the lifespan to end, so an open dashboard would hold up every
    restart of the program: as soon as its server wants to leave, the live streams are ended. A loop that ends
    (asyncio.run) cancels every task: ours takes that as the order to stop. `stop` must be safe to call again.
    """

    def __init__(self, stop: Callable[[], Awaitable[None]], *, end_streams: Callable[[], None]) -> None:
        self._stop = stop
        self._end_streams = end_streams
        self._asked = asyncio.Event()
        self._server: object | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(), name="perpetual-operations")

    def ask(self) -> None:
        """Begin to stop; returns at once."""
        self._asked.set()

    async def stopped(self) -> None:
        """Ask, and return when everything has stopped."""
        self.ask()
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            await self._until_asked()
        finally:
            await self._stop_whole()

    async def _until_asked(self) -> None:
        looking = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        try:
            await self._asked.wait()
        finally:
            looking.cancel()
            self._asked.set()  # no further look

    def _look(self) -> None:
        """Five times a second, so by a timer of the loop alone, without a task to wake."""
        if self._asked.is_set():
            return
        # Asking for the handler costs 0.1 ms: a server that was found once is asked instead, and the handler again
        # when that one leaves, for another may have taken its place.
        if self._server is None:
            self._server = host_server()
        if getattr(self._server, "should_exit", False):
            self._server = host_server()
            if getattr(self._server, "should_exit", False):
                self._end_streams()
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    async def _stop_whole(self) -> None:
        """A cancellation half-way (the loop ends) starts the stop again instead of leaving it undone."""
        for _ in range(3):
            try:
                await self._stop()
            except asyncio.CancelledError:
                continue
            return


def stop_with_lifespan(app: FastAPI, hosted: Hosted, on_start: Callable[[], None], inside: FrameType) -> None:
    """Stop when the app's lifespan ends, whether it is under way (we were called inside it) or still to come."""
    task = asyncio.current_task()
    if task is not None and _runs_lifespan(inside):
        task.add_done_callback(lambda _: hosted.ask())
        return
    theirs = app.router.lifespan_context

    @asynccontextmanager
    async def ours(scope_app: Any) -> AsyncIterator[Any]:
        on_start()
        try:
            async with theirs(scope_app) as state:
                yield state
        finally:
            await hosted.stopped()

    app.router.lifespan_context = ours


def _runs_lifespan(frame: FrameType | None) -> bool:
    """Whether the call came, through whatever the program awaits, from a router that runs its lifespan."""
    while frame is not None:
        if frame.f_code is Router.lifespan.__code__:
            return True
        frame = frame.f_back
    return False


def host_server() -> object | None:
    """Return the uvicorn server of this process; it is found behind its signal handler."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if hasattr(server, "should_exit") else None
