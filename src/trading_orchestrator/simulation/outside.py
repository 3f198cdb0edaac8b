"""The fence around a simulation: no thread, no socket, no other process, no collector that runs when it likes."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from trading_orchestrator.simulation.event_loop import OutsideWorld


@contextmanager
def no_outside_world() -> Iterator[None]:
    """Refuse threads and sockets until the end of the block."""

    def no_thread(thread: threading.Thread) -> None:
        raise OutsideWorld(f"expected no thread in a simulation, was {thread.name}")

    def no_socket(self: socket.socket, *args: Any, **more: Any) -> None:
        raise OutsideWorld("expected no socket in a simulation")

    start, init = threading.Thread.start, socket.socket.__init__
    threading.Thread.start = no_thread  # type: ignore[assignment,method-assign]
    socket.socket.__init__ = no_socket  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        socket.socket.__init__ = init  # type: ignore[method-assign]


@contextmanager
def no_other_process() -> Iterator[None]:
    """Let SQLite keep its locks in memory until the end of the block: all nodes are this process."""
    usual = apsw.vfs_names()[0]
    apsw.set_default_vfs("unix-excl")
    try:
        yield
    finally:
        apsw.set_default_vfs(usual)


@contextmanager
def no_collector() -> Iterator[None]:
    """Collect cycles after the block: when the collector runs is chance of the process, and its looks cost a third."""
    ran = gc.isenabled()
    gc.disable()
    gc.freeze()  # what was there before is nobody's garbage
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if ran:
            gc.enable()
