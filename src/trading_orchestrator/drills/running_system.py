"""Starts, watches, kills and stops the whole system as an operator would: the command, its files, its signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from trading_orchestrator.drills.venue_process import VenueProcess
from trading_orchestrator.drills.waiting import DrillFailed, wait_until
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.node_spec import incarnations_dir
from trading_orchestrator.kernel.clock import Stopwatch

DESK = "desk/practice"
COMMAND = Path(sys.executable).with_name("trading-orchestrator")
CONFIG = """
data_dir = "{data_dir}"
[keeper]
port = {port}
hang_kill_s = {hang_kill_s}
[journal]
lease_ttl_s = {lease_ttl_s}
[brokers.practice]
exchange = "binance"
live = false
api_key = "demo-key"
secret = "demo-secret"
timeout_s = 1.0
validity_s = 1.0
[brokers.practice.urls.api]
public = "{rest}/api/v3"
private = "{rest}/api/v3"
v1 = "{rest}/api/v1"
sapi = "{rest}/sapi/v1"
ws = {{ spot = "{ws}/ws", ws-api = {{ spot = "{ws}/ws-api/v3" }} }}
[trading.desk.practice]
broker = "practice"
symbols = ["EUR/USDT"]
grace_s = 2.0
poll_orders_s = 2.0
poll_trades_s = 2.0
poll_overlap_s = 3.0
resume_when_key_works = {resumes}
[trading.desk.practice.risk]
max_order_qty = "1000"
max_order_notional = "2000"
max_position_qty = "5000"
max_open_orders = 40
price_collar_ratio = "0.05"
max_orders_per_s = 500
"""
STRATEGY = """
[[trading.desk.practice.strategies]]
name = "{name}"
class = "trading_orchestrator.drills.metronome:Metronome"
params = {{ symbol = "EUR/USDT", qty = "20", every_s = {every_s} }}
"""


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningSystem:
    """Keeper and nodes on one data directory, against a venue that outlives them.

    `resumes`: whether the desk goes on by itself when its key works again. `more`: appended to the config.
    `environ`: of the processes; None is ours.
    """

    folder: Path
    venue: VenueProcess
    strategies: int = 1
    every_s: float = 0.1
    hang_kill_s: float = 1.5
    lease_ttl_s: float = 3.0
    hold_dir: Path | None = None
    resumes: bool = False
    more: str = ""
    environ: Mapping[str, str] | None = None
    nodes_ready: int = 2
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def journal(self) -> Path:
        return self.data_dir / "journal.db"

    @property
    def log(self) -> Path:
        return self.folder / "system.log"

    def write_config(self) -> Path:
        """Write the config file and return its path."""
        path = self.folder / "system.toml"
        text = CONFIG.format(
            data_dir=self.data_dir,
            port=self.port,
            hang_kill_s=self.hang_kill_s,
            lease_ttl_s=self.lease_ttl_s,
            resumes=str(self.resumes).lower(),
            rest=self.venue.rest_url,
            ws=self.venue.ws_url,
        )
        for number in range(self.strategies):
            text += STRATEGY.format(name=f"metronome{number}", every_s=self.every_s)
        path.write_text(text + self.more)
        return path

    def start(self) -> None:
        """Start the keeper; returns at once."""
        command = [str(COMMAND), "run", "--config", str(self.write_config())]
        command += ["--hold-dir", str(self.hold_dir)] if self.hold_dir else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=self.environ)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._started().pid

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 10.0) -> tuple[int, float]:
        """Send the signal to the keeper; return its exit code and how long the end took, in seconds."""
        process, watch = self._started(), Stopwatch()
        process.send_signal(number)
        code = process.wait(timeout=within_s)
        return code, watch.elapsed_s()

    def kill_all(self) -> None:
        """Kill the keeper and everything under it in one breath: a power cut for processes."""
        pids = [self.pid, *(pid for pid, _ in self.nodes())]
        for pid in pids:
            with_suppressed_kill(pid, signal.SIGKILL)
        self._started().wait(timeout=10)
        wait_until(lambda: not self.nodes(), within_s=10, what="every node to be gone")

    def nodes(self) -> list[tuple[int, str]]:
        """Return (pid, name) of the living nodes."""
        return [
            (found.words.pid, found.words.node)
            for found in list_incarnations(incarnations_dir(self.data_dir))
            if found.alive
        ]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the journal file, read-only; nothing while it is being made. A question that is wrong is an error."""
        if not self.journal.exists():
            return []
        connection = apsw.Connection(str(self.journal), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5000)
        try:
            if not next(connection.execute("PRAGMA user_version"))[0]:
                return []
            return [tuple(row) for row in connection.execute(sql, values)]
        finally:
            connection.close()

    def holder(self, lease: str = DESK) -> tuple[int, str] | None:
        """Return (pid, node) of the living holder of the lease."""
        rows = self.query("SELECT holder FROM leases WHERE name = ? AND expires_ns > 0", lease)
        names = {name: pid for pid, name in self.nodes()}
        return next(((names[holder], holder) for (holder,) in rows if holder in names), None)

    def ready_nodes(self) -> list[str]:
        """Return the living nodes that have said READY."""
        rows = self.query("SELECT key, CAST(value AS TEXT) FROM projection WHERE name = 'nodes'")
        ready = {str(key) for key, value in rows if json.loads(value)["state"] == "ready"}
        return [name for _, name in self.nodes() if name in ready]

    def wait_trading(self, within_s: float = 30.0) -> tuple[int, str]:
        """Return (pid, node) of the trader once it holds the desk and a second node is READY."""
        try:
            wait_until(
                lambda: self.holder() and len(self.ready_nodes()) >= self.nodes_ready,
                within_s=within_s,
                what="trader and standby ready",
            )
        except DrillFailed as error:
            raise DrillFailed(f"{error.message}; the log says:\n{self.log.read_text()[-4000:]}") from None
        return wait_until(self.holder, within_s=within_s, what="a trader")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DrillFailed("the system was not started")
        return self._process

    def last_pos(self) -> int:
        rows = self.query("SELECT max(pos) FROM facts")
        return int(rows[0][0] or 0) if rows else 0

    def orders_by(self, node: str) -> int:
        """Return how many intents this node has made durable."""
        rows = self.query("SELECT count(*) FROM facts WHERE node = ? AND kind = 'order.intended'", node)
        return int(rows[0][0]) if rows else 0


def with_suppressed_kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process of ours that may already be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
