"""Starts, breaks and kills a practice venue: a real process, reached over sockets only."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_orchestrator.drills.waiting import DrillFailed

LONGEST_START_S = 20.0


@dataclass
class VenueProcess:
    """A venue on `data_dir`; it dies with this process at the latest (`--parent-fd`).

    `start` may be called again after `kill` or `stop`: it keeps the ports, so that clients find it again.
    `under`: a command that runs it in its own place, e.g. one that enters a network namespace, where `host` is.
    """

    data_dir: Path
    options: dict[str, str | list[str]] = field(default_factory=dict)
    port: int = 0
    control_port: int = 0
    pid: int = 0
    host: str = "127.0.0.1"
    under: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None
    _lifeline_fd: int = -1

    @classmethod
    def start_new(cls, data_dir: Path, **options: str | list[str]) -> VenueProcess:
        """Start a venue; option names are the command line's with underscores, a list repeats the option."""
        venue = cls(data_dir, options)
        venue.start()
        return venue

    def start(self) -> None:
        """Return when the venue listens. Raises DrillFailed with its words when it does not start."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        ready_read, ready_write = os.pipe()
        parent_read, self._lifeline_fd = os.pipe()
        with self._words_file.open("ab") as words:
            self._process = subprocess.Popen(
                self._command(ready_write, parent_read),
                pass_fds=(ready_write, parent_read),
                stdout=subprocess.DEVNULL,
                stderr=words,
                start_new_session=True,  # Ctrl-C is for whoever runs it: what is judged in the end must still stand
            )
        os.close(ready_write)
        os.close(parent_read)
        line = _first_line(ready_read)
        os.close(ready_read)
        if not line:
            raise DrillFailed(f"the venue did not start: {self._last_words()}")
        ready = json.loads(line)
        self.port, self.control_port, self.pid = ready["port"], ready["control_port"], ready["pid"]

    @property
    def rest_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    def ccxt_urls(self) -> dict[str, Any]:
        """Return what to merge into `exchange.urls['api']` of an unmodified ccxt binance client."""
        rest = f"{self.rest_url}/api/v3"
        return {
            "public": rest,
            "private": rest,
            "v1": f"{self.rest_url}/api/v1",
            "sapi": f"{self.rest_url}/sapi/v1",
            "ws": {"spot": f"{self.ws_url}/ws", "ws-api": {"spot": f"{self.ws_url}/ws-api/v3"}},
        }

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Ask the control port, e.g. `control("POST", "faults", {"fault": "F1"})`. Raises ValueError on wrong use."""
        request = urllib.request.Request(
            f"http://{self.host}:{self.control_port}/control/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise ValueError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def fault(self, fault: str = "", **spec: Any) -> int:
        """Set one fault and return its id."""
        named = {"fault": fault} if fault else {}
        faults = self.control("POST", "faults", named | spec)["faults"]
        return int(faults[0]["id"])

    def account_state(self, account: str) -> dict[str, Any]:
        """Return balances, orders and trades of one account as the venue holds them."""
        state: dict[str, Any] = self.control("GET", f"state?account={account}")["accounts"][account]
        return state

    def log(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the facts of the venue's own log, all or of some kinds, oldest first. Works without the process."""
        return [fact for fact in self._log_lines() if not kinds or fact["kind"] in kinds]

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal to the running venue, wait for its end and return its exit status."""
        process = self._running()
        process.send_signal(number)
        return self._reaped(process)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and go on, e.g. SIGSTOP and SIGCONT."""
        self._running().send_signal(number)

    def stop(self) -> int:
        """Stop it in order if it runs; return its exit status."""
        return self.kill(signal.SIGTERM) if self._process is not None else 0

    def close_lifeline(self) -> int:
        """Do what the death of the parent does, and return the exit status of the venue that follows it."""
        process = self._running()
        os.close(self._lifeline_fd)
        self._lifeline_fd = -1
        return self._reaped(process)

    def _command(self, ready_fd: int, parent_fd: int) -> list[str]:
        command = [*self.under, sys.executable, "-m", "trading_orchestrator.practice_venue"]
        command += ["--data-dir", str(self.data_dir), "--host", self.host]
        command += ["--port", str(self.port), "--control-port", str(self.control_port)]
        command += ["--ready-fd", str(ready_fd), "--parent-fd", str(parent_fd)]
        for name, value in self.options.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{name.replace('_', '-')}", one]
        return command

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DrillFailed("the venue does not run")
        return self._process

    def _reaped(self, process: subprocess.Popen[bytes]) -> int:
        status = process.wait(timeout=10)
        if self._lifeline_fd >= 0:
            os.close(self._lifeline_fd)
            self._lifeline_fd = -1
        self._process = None
        return status

    def _last_words(self) -> str:
        process = self._running()
        process.kill()
        self._reaped(process)
        return self._words_file.read_text(encoding="utf-8").strip()

    @property
    def _words_file(self) -> Path:
        """What the venue said on standard error, over all its starts."""
        return self.data_dir / "venue.stderr.txt"

    def _log_lines(self) -> Iterator[dict[str, Any]]:
        with (self.data_dir / "venue.log.jsonl").open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)


def _first_line(fd: int) -> str:
    """Return what the venue says when it listens; empty when it ends or stays silent instead."""
    data = b""
    while not data.endswith(b"\n"):
        readable, _, _ = select.select([fd], [], [], LONGEST_START_S)
        chunk = os.read(fd, 4096) if readable else b""
        if not chunk:
            return ""
        data += chunk
    return data.decode()
