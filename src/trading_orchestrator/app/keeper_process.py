"""The keeper's process: takes the data directory and the port, then starts venue and nodes."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from trading_orchestrator.app.settings import Configured, Settings, check_alert_channels
from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.incarnation import read_words
from trading_orchestrator.keeper.backoff import Backoff
from trading_orchestrator.keeper.child import KEEPER_FD, READY_FD, Spec
from trading_orchestrator.keeper.keeper import Keeper, Say, Slot, listen, lock_data_dir
from trading_orchestrator.keeper.node_spec import NodeSpec, incarnations_dir
from trading_orchestrator.keeper.service_manager import ServiceManager
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import merged, variable
from trading_orchestrator.kernel.ids import new_id

PRACTICE_BROKER = "practice"


@dataclass(frozen=True)
class Practice:
    """The practice venue that `run --practice` starts. `speed`: recorded seconds per second; None: its own default."""

    speed: float | None = None


def run_keeper(configured: Configured, *, practice: Practice | None, hold_dir: Path | None, say: Say) -> None:
    """Be the keeper until a signal ends it.

    Raises:
        Refused: data directory or port cannot be had, or a node refused to start; nothing was changed.
        ConfigRefused: a channel of the alerts has no secret.
    """
    check_alert_channels(configured)
    settings, data_dir = configured.settings, configured.data_dir
    make_data_dir(data_dir)
    lock_fd = lock_data_dir(data_dir)
    listener = listen(settings.keeper.host, settings.keeper.port)
    slots: list[Slot] = []
    values = configured.values
    if practice is not None:
        venue_port = free_port()
        values = merged(values, {"brokers": {PRACTICE_BROKER: {"urls": practice_urls(venue_port), "live": False}}})
        slots.append(_slot("venue", settings, lambda: _venue_spec(data_dir, venue_port, practice), outlasts=True))
    names = ["a", "b"][: settings.keeper.nodes]
    for name, after in zip(names, [None, "a"], strict=False):
        make = _node_maker(name, values, configured.source, data_dir, listener, hold_dir)
        slots.append(_slot(name, settings, make, after=after))
    host, port = listener.getsockname()[:2]
    say(f"dashboard: http://{host}:{port}/dashboard   data: {data_dir.resolve()}   stop: Ctrl-C")
    clock = SystemClock()
    service = ServiceManager(variable)
    Keeper(settings.keeper, slots, clock=clock, last_beat_ns=_last_beat_ns, say=say, service=service).run()
    listener.close()
    os.close(lock_fd)


def _last_beat_ns(path: Path) -> int | None:
    words = read_words(path)
    return words.heartbeat_boot_ns if words is not None else None


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory, or refuse with what to do."""
    try:
        incarnations_dir(data_dir).mkdir(parents=True, exist_ok=True)
        writable = os.access(data_dir, os.W_OK | os.X_OK)
    except OSError as error:
        raise Refused(
            f"data directory {data_dir} cannot be made ({error.strerror}); choose another with --data-dir"
        ) from None
    if not writable:
        raise Refused(f"data directory {data_dir} is read-only for this user; make it writable or choose another")


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def practice_urls(port: int) -> dict[str, Any]:
    """Return the addresses of a practice venue, in the shape of ccxt's `urls`."""
    rest, stream = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    api = {
        "public": f"{rest}/api/v3",
        "private": f"{rest}/api/v3",
        "v1": f"{rest}/api/v1",
        "sapi": f"{rest}/sapi/v1",
        "ws": {"spot": f"{stream}/ws", "ws-api": {"spot": f"{stream}/ws-api/v3"}},
    }
    return {"api": api}


def _slot(
    name: str, settings: Settings, make: Callable[[], Spec], *, after: str | None = None, outlasts: bool = False
) -> Slot:
    return Slot(name, make, Backoff(settings.keeper.backoff_cap_s), after=after, outlasts=outlasts)


def _venue_spec(data_dir: Path, port: int, practice: Practice) -> Spec:
    argv = [sys.executable, "-m", "trading_orchestrator.practice_venue", "--data-dir", str(data_dir / "venue")]
    argv += ["--port", str(port), "--ready-fd", READY_FD, "--parent-fd", KEEPER_FD]
    argv += ["--speed", str(practice.speed)] if practice.speed is not None else []
    return Spec(name="practice venue", argv=argv, stdin=b"")


def _node_maker(
    slot: str, values: dict[str, Any], source: str, data_dir: Path, listener: socket.socket, hold_dir: Path | None
) -> Callable[[], Spec]:
    def make() -> Spec:
        node = f"{slot}-{new_id(SystemClock().wall_ns())[-8:]}"
        spec = NodeSpec(node, values, source, listener.fileno(), str(hold_dir) if hold_dir else None)
        argv = [
            sys.executable,
            "-m",
            "trading_orchestrator.app.node_process",
            "--ready-fd",
            READY_FD,
            "--keeper-fd",
            KEEPER_FD,
        ]
        return Spec(
            name=f"node {node}",
            argv=argv,
            stdin=msgspec.json.encode(spec),
            pass_fds=(listener.fileno(),),
            heartbeat_path=incarnations_dir(data_dir) / node,
        )

    return make
