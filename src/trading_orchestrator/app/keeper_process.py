"""The keeper's process: takes the data directory and the port, then starts venue and nodes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from trading_orchestrator.app.settings import JOURNAL_FILE, Configured, Settings, check_alert_channels
from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.incarnation import note_ending, read_words
from trading_orchestrator.keeper.backoff import Backoff
from trading_orchestrator.keeper.child import KEEPER_FD, READY_FD, Spec
from trading_orchestrator.keeper.keeper import Keeper, Say, Slot, check_not_run, listen, lock_data_dir, tell_address
from trading_orchestrator.keeper.node_spec import NodeSpec, incarnations_dir
from trading_orchestrator.keeper.service_manager import ServiceManager
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import ConfigRefused, merged, variable
from trading_orchestrator.kernel.ids import new_id
from trading_orchestrator.storage.sqlite.first_look import look_through

PRACTICE_BROKER = "practice"
OWN = "own"


@dataclass(frozen=True)
class Practice:
    """The practice venue that `run --practice` starts. `speed`: recorded seconds per second; None: its own default."""

    speed: float | None = None


def run_keeper(configured: Configured, *, practice: Practice | None, hold_dir: Path | None, say: Say) -> None:
    """Be the keeper until a signal ends it.

    Raises:
        Refused: data directory, port or journal cannot be had, and nothing was changed; or a node refused to start.
        ConfigRefused: a channel of the alerts cannot be opened.
    """
    check_alert_channels(configured)
    settings, data_dir = configured.settings, configured.data_dir
    lock_fd, listener = _take(settings, data_dir)
    slots: list[Slot] = []
    values = configured.values
    if practice is not None:
        venue_port = free_port()
        values = merged(values, {"brokers": {PRACTICE_BROKER: {"urls": practice_urls(venue_port), "live": False}}})
        slots.append(_slot("venue", settings, lambda: _venue_spec(data_dir, venue_port, practice), outlasts=True))
    common = NodeSpec("", values, configured.source, listener.fileno(), str(hold_dir) if hold_dir else None)
    for role in _roles(settings):
        make = _node_maker(role, common, data_dir)
        slots.append(_slot(role.slot, settings, make, after=role.after))
    host, port = listener.getsockname()[:2]
    address = tell_address(lock_fd, host, port)
    say(f"dashboard: {address}/dashboard   data: {data_dir.resolve()}   stop: Ctrl-C")
    clock = SystemClock()
    service = ServiceManager(variable)
    Keeper(
        settings.keeper,
        slots,
        clock=clock,
        last_beat_ns=_last_beat_ns,
        note_ending=note_ending,
        say=say,
        service=service,
    ).run()
    listener.close()
    os.close(lock_fd)


def check_venues(configured: Configured, *, practice: bool) -> None:
    """Return when each desk's broker leads where its config says.

    Raises:
        ConfigRefused: a practice broker would reach the real exchange.
    """
    for desk in configured.settings.trading.desk.values():
        key = f"brokers.{desk.broker}"
        if why := lacks_its_venue(configured.settings, desk.broker, practice=practice):
            raise ConfigRefused(f"{configured.source}: {key}: {why}", key=key, source=configured.source)


def lacks_its_venue(settings: Settings, broker: str, *, practice: bool) -> str:
    """Return why a broker that is said not to be live would reach the real exchange, and what to do; "" when not.

    Args:
        practice: the practice venue is started too, and the broker of that name is led to it.
    """
    account = settings.brokers[broker]
    if account.live or account.urls or (practice and broker == PRACTICE_BROKER):
        return ""
    return (
        f"live = false without urls would send practice orders to the real {account.exchange}: start with "
        f"`run --practice`, which leads [brokers.{PRACTICE_BROKER}] to a venue of its own, or give your practice "
        "venue's addresses as urls, or say live = true"
    )


def _take(settings: Settings, data_dir: Path) -> tuple[int, socket.socket]:
    """Take port and directory; whatever refuses the start does so before anything in the directory is changed."""
    if data_dir.is_dir():
        _check_writable(data_dir)
        check_not_run(data_dir)
        look_through(data_dir / JOURNAL_FILE, clock=SystemClock(), unused=True)
    listener = listen(settings.keeper.host, settings.keeper.port)
    make_data_dir(data_dir)
    return lock_data_dir(data_dir), listener


def _last_beat_ns(path: Path) -> int | None:
    """Return the sign of life, None also while it cannot be read: without descriptors the keeper must not end."""
    with contextlib.suppress(OSError):
        words = read_words(path)
        return words.heartbeat_boot_ns if words is not None else None
    return None


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory, or refuse with what to do."""
    try:
        incarnations_dir(data_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            f"data directory {data_dir} cannot be made ({error.strerror}); choose another with --data-dir"
        ) from None
    _check_writable(data_dir)


def _check_writable(data_dir: Path) -> None:
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise Refused(
            f"data directory {data_dir} is read-only for this user; make it writable, or choose another with --data-dir"
        )


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


@dataclass(frozen=True)
class Role:
    """What the nodes of one slot are for. `desks` None: all of them."""

    slot: str
    desks: tuple[str, ...] | None = None
    after: str | None = None
    serves_console: bool = True
    homes: dict[str, str] = field(default_factory=dict)
    nice: int = 0
    cpu_max_ratio: float = 0.0


def _roles(settings: Settings) -> Sequence[Role]:
    """Trader and console back each other; a desk that wants a node of its own has it, and the console's stands by."""
    desks = settings.trading.desk
    own = [name for name, desk in desks.items() if desk.isolation == "process"]
    homes = {name: f"{OWN}{number}" for number, name in enumerate(own)}
    shared = tuple(name for name in desks if name not in own)
    roles = [Role("a", shared if own and settings.keeper.nodes > 1 else None, homes=homes)]
    if settings.keeper.nodes > 1:
        roles.append(Role("b", after="a", homes=homes))
    roles += [
        Role(
            homes[name],
            (name,),
            serves_console=False,
            nice=desks[name].nice,
            cpu_max_ratio=desks[name].cpu_max_ratio,
        )
        for name in own
    ]
    return roles


def _node_maker(role: Role, common: NodeSpec, data_dir: Path) -> Callable[[], Spec]:
    starts = count()

    def make() -> Spec:
        node = f"{role.slot}-{new_id(SystemClock().wall_ns())[-8:]}"
        spec = msgspec.structs.replace(
            common,
            node=node,
            desks=role.desks,
            serves_console=role.serves_console,
            homes=role.homes,
            looks=next(starts) > 0,
        )
        argv = [
            sys.executable,
            "-m",
            "trading_orchestrator.app",
            "--ready-fd",
            READY_FD,
            "--keeper-fd",
            KEEPER_FD,
        ]
        return Spec(
            name=f"node {node}",
            argv=argv,
            stdin=msgspec.json.encode(spec),
            pass_fds=(common.listen_fd,),
            heartbeat_path=incarnations_dir(data_dir) / node,
            nice=role.nice,
            cpu_max_ratio=role.cpu_max_ratio,
        )

    return make
