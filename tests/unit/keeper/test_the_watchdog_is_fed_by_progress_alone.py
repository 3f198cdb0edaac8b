"""systemd hears READY, STOPPING, and a watchdog's food only while some node turns its loop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_orchestrator.keeper.service_manager import ServiceManager

SECOND_NS = 10**9


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.way.bind(str(path))
        self.way.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "3000000"}

    def heard(self) -> list[str]:
        words = []
        while True:
            try:
                words.append(self.way.recv(1000).decode())
            except BlockingIOError:
                return words


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    found = Systemd(tmp_path / "notify")
    yield found
    found.way.close()


def test_it_is_ready_once_and_says_when_it_stops(systemd: Systemd) -> None:
    service = ServiceManager(systemd.environ.get)
    service.ready("node a is ready")
    service.ready("node b is ready")
    service.stopping()

    first, second, last = systemd.heard()
    assert ("READY=1\nSTATUS=node a is ready", "STATUS=node b is ready") == (first, second)
    assert last.startswith("STOPPING=1")


def test_a_third_of_the_interval_feeds_while_a_node_makes_progress(systemd: Systemd) -> None:
    service = ServiceManager(systemd.environ.get)
    for tenth in range(10, 50):
        now_ns = tenth * SECOND_NS // 10
        service.progress(newest_beat_ns=now_ns, now_ns=now_ns)

    assert ["WATCHDOG=1"] * 4 == systemd.heard()


def test_no_progress_is_no_food(systemd: Systemd) -> None:
    service = ServiceManager(systemd.environ.get)
    for second in range(1, 10):
        service.progress(newest_beat_ns=SECOND_NS, now_ns=second * SECOND_NS)

    assert ["WATCHDOG=1"] == systemd.heard()


def test_without_a_watchdog_nothing_is_fed(systemd: Systemd) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": systemd.environ["NOTIFY_SOCKET"]}.get)
    service.progress(newest_beat_ns=SECOND_NS, now_ns=SECOND_NS)

    assert [] == systemd.heard()


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}.get).stopping()
    ServiceManager(lambda name: None).stopping()
