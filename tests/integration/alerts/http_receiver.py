"""A receiver on loopback that answers what a test tells it, and keeps what it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Receiver:
    """A server that reads one request a connection and answers these bytes; None: it only listens.

    `then` are the answers that follow the first, one a request; the last one stays. `apart`: what requests are answered
    in whose body a text stands. `goes_on`: a slow one, whose answer stops in its middle until this is set.
    """

    answer: bytes | None
    then: list[bytes | None] = field(default_factory=list)
    apart: dict[bytes, bytes] = field(default_factory=dict)
    goes_on: asyncio.Event | None = None
    port: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    serving: set[asyncio.Task[object]] = field(default_factory=set)

    def headers(self, number: int) -> dict[str, str]:
        """Return the headers of one request, by their names in lower case."""
        lines = [line.split(": ", 1) for line in self.heads[number].splitlines() if ": " in line]
        return {name.lower(): value for name, value in lines}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-len"))
        body = await reader.readexactly(length)
        self.heads.append(head)  # together, for several requests come at once
        self.bodies.append(body)
        answer = self._answer_to(body)
        if answer is None:
            await reader.read()
        else:
            await self._say(writer, answer)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def _answer_to(self, body: bytes) -> bytes | None:
        apart = [answer for text, answer in self.apart.items() if text in body]
        if apart:
            return apart[0]
        answer, self.answer = self.answer, self.then.pop(0) if self.then else self.answer
        return answer

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        half = len(answer) // 2
        writer.write(answer[:half])
        await writer.drain()
        if self.goes_on is not None:
            await self.goes_on.wait()
        writer.write(answer[half:])
        with suppress(ConnectionError):
            await writer.drain()


@asynccontextmanager
async def receiver(answer: bytes | None, *then: bytes | None) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    one = Receiver(answer, list(then))
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        await asyncio.gather(*one.serving, return_exceptions=True)


def said(status: str, *headers: str, body: str = "") -> bytes:
    """Return an answer as it goes over the wire."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", body]).encode()
