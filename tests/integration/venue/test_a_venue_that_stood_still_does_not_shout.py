"""Clients that left while the venue's process was stopped are no errors of it: it goes on and writes nothing."""

from __future__ import annotations

import os
import signal
import socket
import struct

import pytest

from tests.venue_process import VenueProcess

pytestmark = pytest.mark.integration
UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


def test_those_who_left_meanwhile_leave_no_traceback(own_venue: VenueProcess) -> None:
    os.kill(own_venue.pid, signal.SIGSTOP)
    for path in (b"/ws/eurusdt@bookTicker", b"/ws-api/v3"):
        with socket.create_connection(("127.0.0.1", own_venue.port)) as client:
            client.sendall(UPGRADE % path)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    os.kill(own_venue.pid, signal.SIGCONT)
    own_venue.account_state("alice")

    own_venue.stop()

    assert "" == (own_venue.data_dir / "venue.stderr.txt").read_text()
