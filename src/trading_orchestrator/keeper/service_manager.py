"""Tells systemd how the service is (sd_notify); its watchdog is fed by the progress of nodes and nothing else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

ADDRESS, WATCHDOG_USEC = "NOTIFY_SOCKET", "WATCHDOG_USEC"
FEEDS_AN_INTERVAL = 3


class ServiceManager:
    """Speaks to whoever started the keeper with NOTIFY_SOCKET set; says nothing when nobody did.

    The watchdog starves when no node has turned its event loop since the last feed, whatever the keeper itself does:
    then systemd kills and starts everything anew.

    Args:
        variable: reads an environment variable.

    Source: sd_notify(3), systemd.service(5) WatchdogSec.
    """

    def __init__(self, variable: Callable[[str], str | None]) -> None:
        self._address = variable(ADDRESS) or ""
        watchdog_usec = variable(WATCHDOG_USEC) or ""
        self._feed_every_ns = int(watchdog_usec) * 1000 // FEEDS_AN_INTERVAL if watchdog_usec.isdigit() else 0
        self._fed_ns = 0
        self._progress_ns = 0
        self._is_ready = False

    def ready(self, status: str) -> None:
        """The first node is READY."""
        self._send(f"STATUS={status}" if self._is_ready else f"READY=1\nSTATUS={status}")
        self._is_ready = True

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping in order")

    def progress(self, newest_beat_ns: int, now_ns: int) -> None:
        """Feed the watchdog if a node has turned its loop since the last feed. Both by the clock since boot."""
        if not self._feed_every_ns or now_ns - self._fed_ns < self._feed_every_ns:
            return
        if newest_beat_ns > self._progress_ns:
            self._progress_ns, self._fed_ns = newest_beat_ns, now_ns
            self._send("WATCHDOG=1")

    def _send(self, words: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.sendto(words.encode(), address)
