"""uvicorn's server inside our loop, in steps of our own: its `serve` would take signals, and close idle connections."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from trading_orchestrator.kernel.clock import Clock

BACKLOG = 2048
LOOK_EVERY_S = 0.02
CUT_GRACE_S = 1


class Serving:
    """One run of a server on one descriptor: start, stop accepting, wait, cut. One event loop."""

    def __init__(self, app: ASGIApp, clock: Clock, *, keep_alive_s: int) -> None:
        self._clock = clock
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=CUT_GRACE_S,
            )
        )
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept on this descriptor, which is ours from now on."""
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.on_tick(0)  # the Date header of the first answers
        await self._server.startup(sockets=[listener])
        self._ticking = asyncio.create_task(self._server.main_loop())

    def stop_accepting(self) -> None:
        """Close our descriptor; connections that arrive now wait for whoever accepts next on the shared socket."""
        for server in self._server.servers:
            server.close()

    async def all_gone(self) -> None:
        """Return once no connection is left."""
        connections = self._server.server_state.connections
        while connections:
            await self._clock.sleep(LOOK_EVERY_S)

    async def cut(self) -> None:
        """End every connection now; answers under way are lost."""
        state = self._server.server_state
        for connection in list(state.connections):
            connection.shutdown()
            if connection.transport is not None:
                connection.transport.close()
        for task in list(state.tasks):
            task.cancel()
        ticking, self._ticking = self._ticking, None
        if ticking is not None:
            ticking.cancel()
            await asyncio.wait((ticking,))
