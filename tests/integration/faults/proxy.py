"""A TCP proxy between desk and venue: it sends requests twice, keeps answers back, and shuffles the venue's frames."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)")
PLACES_ORDER = re.compile(rb"POST /api/v3/order[? ]")
TEXT = 0x81
"""The first byte of a whole text frame."""
BROKEN = (ConnectionError, asyncio.IncompleteReadError)

Plan = Callable[[bytes], Sequence[float]]
"""When a frame is passed on, in seconds from now: (0,) is a good network, () loses it, (0, 0.1) doubles it."""


class Proxy:
    """Listens on loopback and passes everything on to the venue, but for what a test asks of it.

    Attributes:
        doubles: sends each order twice and tells the client the second answer, as a library does that tries again.
        answer_s: how long the answer to an order is kept back; `answered`: how many orders have theirs.
        frames: what becomes of each text frame of a stream.
    """

    def __init__(self, host: str, port: int) -> None:
        self._venue = (host, port)
        self.port = 0
        self.doubles = False
        self.answer_s = 0.0
        self.answered = 0
        self.frames: Plan = lambda frame: (0,)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._away = False

    def cut(self) -> None:
        """Reset every connection, and each new one until `mend`."""
        self._away = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self._away = False

    async def close(self) -> None:
        """Cut every connection and forget what is kept back."""
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self._open.add(writer)
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            if not self._away:
                await self._carry(reader, writer)
        except (*BROKEN, asyncio.CancelledError):
            pass  # whoever broke it, the other end hears of it below; asyncio would log a task that was cancelled
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        venue, to_venue = await asyncio.open_connection(*self._venue)
        self._open.add(to_venue)
        try:
            while not reader.at_eof():
                request = await message(reader)
                if self.doubles and PLACES_ORDER.match(request):
                    await self._ask_apart(request)
                to_venue.write(request)
                answer = await message(venue)
                if PLACES_ORDER.match(request):
                    await asyncio.sleep(self.answer_s)
                    self.answered += 1
                writer.write(answer)
                if answer.startswith(b"HTTP/1.1 101"):
                    await self._carry_stream((reader, writer), (venue, to_venue))
        finally:
            self._open.discard(to_venue)
            to_venue.transport.abort()

    async def _ask_apart(self, request: bytes) -> None:
        """Send it over a connection of its own, and keep the answer from the client."""
        reader, writer = await asyncio.open_connection(*self._venue)
        writer.write(request)
        await message(reader)
        writer.transport.abort()

    async def _carry_stream(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        venue: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        loop = asyncio.get_running_loop()

        async def upwards() -> None:
            while data := await client[0].read(65536):
                venue[1].write(data)
            raise ConnectionResetError

        async def downwards() -> None:
            while True:
                raw, payload = await frame(venue[0])
                for wait_s in self.frames(payload) if raw[0] == TEXT else (0,):
                    loop.call_later(wait_s, client[1].write, raw)

        async with asyncio.TaskGroup() as both:
            both.create_task(_quietly(upwards(), client[1], venue[1]))
            both.create_task(_quietly(downwards(), client[1], venue[1]))


async def _quietly(pump: object, *writers: asyncio.StreamWriter) -> None:
    with suppress(*BROKEN):
        await pump  # type: ignore[misc]
    for writer in writers:
        writer.transport.abort()


async def message(reader: asyncio.StreamReader) -> bytes:
    """Return one HTTP message, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = LENGTH.search(head)
    return head + await reader.readexactly(int(found[1]) if found else 0)


async def frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return one frame of a server (RFC 6455, 5.2: unmasked), as sent and its payload."""
    head = await reader.readexactly(2)
    more = {126: 2, 127: 8}.get(head[1], 0)
    length = await reader.readexactly(more)
    payload = await reader.readexactly(int.from_bytes(length) if more else head[1])
    return head + length + payload, payload


@asynccontextmanager
async def proxy(host: str, port: int) -> AsyncIterator[Proxy]:
    """Run a proxy to this address."""
    made = Proxy(host, port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
