"""A name server for one name (RFC 1035): it answers, or it is mute, as in an outage."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

NAME = "venue.test"
QUERY_BYTES = 12
A, IN = 1, 1


class NameServer(asyncio.DatagramProtocol):
    """`mute` drops every question; `asked` counts those of an outage."""

    def __init__(self, address: str) -> None:
        self._address = socket.inet_aton(address)
        self._transport: asyncio.DatagramTransport | None = None
        self.mute = False
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.mute:
            self.asked += 1
        elif self._transport is not None:
            self._transport.sendto(self._answer(data), addr)

    def _answer(self, query: bytes) -> bytes:
        """Return our one address to a question for an IPv4 one, and no record to any other."""
        ends = query.index(b"\0", QUERY_BYTES) + 5
        question, kind = query[QUERY_BYTES:ends], int.from_bytes(query[ends - 4 : ends - 2])
        record = b"\xc0\x0c" + A.to_bytes(2) + IN.to_bytes(2) + (1).to_bytes(4) + (4).to_bytes(2) + self._address
        answers = [record] if kind == A else []
        head = query[:2] + b"\x81\x80" + (1).to_bytes(2) + len(answers).to_bytes(2) + bytes(4)
        return head + question + b"".join(answers)


@asynccontextmanager
async def name_server(at: str, address: str) -> AsyncIterator[NameServer]:
    """Answer at port 53 of `at` that NAME is at `address`."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(address), local_addr=(at, 53))
    try:
        yield server
    finally:
        transport.close()
