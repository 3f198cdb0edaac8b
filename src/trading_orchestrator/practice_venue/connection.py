"""One WebSocket client; frames wait in a bounded line, so no slow reader holds the venue up."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from trading_orchestrator.practice_venue.effects import Delivery, Outcome

MOST_WAITING = 20_000


class Connection:
    """Sends frames in order. `send` never waits; a client that lets too many pile up is dropped."""

    def __init__(self, transport: asyncio.Transport | None, client: web.WebSocketResponse) -> None:
        self._transport = transport
        self._client = client
        self._closing: asyncio.Task[bool] | None = None
        self._is_deaf = False
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, frame: bytes) -> None:
        if self._is_deaf:
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self.abort()
            return
        self._waiting.put_nowait(frame)

    def send_later(self, frame: bytes, delay_ms: int) -> None:
        asyncio.get_running_loop().call_later(delay_ms / 1000, self.send, frame)

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        reset(self._transport)

    def go_deaf(self) -> None:
        """Leave the connection half open: nothing is read or sent any more, pings included, and no end is told."""
        self._is_deaf = True
        if self._transport is not None:
            self._transport.pause_reading()

    def close(self, code: int) -> None:
        """Begin an orderly close; the client's answer to it is not waited for."""
        self._closing = asyncio.get_running_loop().create_task(self._client.close(code=code))

    async def pump(self) -> None:
        """Send until the client is gone."""
        try:
            while True:
                frame = await self._waiting.get()
                await self._client.send_frame(frame, web.WSMsgType.TEXT)
        except ConnectionError:
            return


def deliver_event(
    connection: Connection, event: bytes, outcome: Outcome | None, *, wrap: Callable[[bytes], bytes]
) -> None:
    """Send a stream event, framed by `wrap`, the way a fault wants it, or plainly."""
    if outcome is None:
        connection.send(wrap(event))
        return
    frame = wrap(outcome.answer.body if outcome.answer is not None else event)
    if outcome.delivery is Delivery.RESET:
        connection.abort()
    elif outcome.delivery is Delivery.HALF_OPEN:
        connection.go_deaf()
    elif outcome.delivery is not Delivery.NEVER:
        times = 2 if outcome.delivery is Delivery.TWICE else 1
        for _ in range(times):
            connection.send_later(frame, outcome.delay_ms)


def reset(transport: asyncio.Transport | None) -> None:
    """Abort so that the peer sees a TCP reset, not an orderly end."""
    if transport is None:
        return
    pseudo = transport.get_extra_info("socket")
    if pseudo is not None:
        with socket.socket(fileno=os.dup(pseudo.fileno())) as own:  # uvloop's own wrapper sets no options
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
