"""Alerts over HTTP, beside Debian's Alertmanager in the same run: accept rate, storms, and fire to webhook."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.disk import fsyncs_per_s

STORM, BATCH, CONNECTIONS = 20_000, 500, 4
SHOTS = 200
PAUSE_S = 0.03  # between two shots, so that none waits for what is recorded of the one before
QUIET_S = 10.0
ALERTMANAGER = shutil.which("prometheus-alertmanager")
OURS, PEER = "ours, durable before the answer", "Debian's Alertmanager, in memory"
Row = tuple[str, str, str]
PEER_CONFIG = """
route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 5m,
  routes: [{{receiver: hook, matchers: ['alertname="Storm"'], group_wait: 3s}},
    {{receiver: hook, matchers: ['alertname="Flood"'], group_by: [alertname, host], group_wait: 3s}}]}}
receivers: [{{name: hook, webhook_configs: [{{url: '{hook}'}}]}}]
"""


def main() -> Sequence[Row]:
    """Measure for about a minute, print a table as the README has them, and return its rows."""
    with tempfile.TemporaryDirectory(prefix="bench-alerts-") as name:
        print(f"disk: 4 KiB write + fdatasync {fsyncs_per_s(Path(name)):,.0f}/s")
        rows = asyncio.run(_measure(Path(name)))
    for row in (("what", OURS, PEER), ("---", "---", "---"), *rows):
        print(f"| {' | '.join(row)} |")
    return rows


async def _measure(folder: Path) -> list[Row]:
    """Return each figure of ours with the peer's beside it."""
    async with _hook() as (hook, url), _ours(folder / "ours", url) as (port, pid):
        ours = await _figures(port, pid, hook)
    if ALERTMANAGER is None:
        return [(what, figure, "missing: apt-get install prometheus-alertmanager") for what, figure in ours]
    async with _hook() as (hook, url), _peer(folder, url) as (port, pid):
        theirs = dict(await _figures(port, pid, hook))
    return [(what, figure, theirs[what]) for what, figure in ours]


async def _figures(port: int, pid: int, hook: Hook) -> list[tuple[str, str]]:
    storm = await _stormed(f"{STORM:,} alerts of one group", "Storm", port, pid, hook)
    latencies = await _shots(port, hook)
    flood = await _stormed(f"{STORM:,} alerts, each a group", "Flood", port, pid, hook)
    least, p50, p99 = latencies[0], latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    shown = f"{least * 1000:.1f} / {p50 * 1000:.1f} / {p99 * 1000:.1f} ms"
    return [*storm, *flood, (f"fire → webhook: least / p50 / p99 of {SHOTS}", shown)]


async def _stormed(what: str, name: str, port: int, pid: int, hook: Hook) -> list[tuple[str, str]]:
    """Post a storm; tell how fast it was taken, for how much CPU, and what came of it within some seconds."""
    hook.bodies.clear()
    began_cpu_s = _cpu_s(pid)
    took_s = await _storm(port, name)
    cpu_us = (_cpu_s(pid) - began_cpu_s) / STORM * 1e6
    await asyncio.sleep(QUIET_S)
    bodies = [json.loads(body) for body in hook.bodies]
    told = sum(len(one["alerts"]) + one["truncatedAlerts"] for one in bodies)
    return [
        (f"{what}: accepted", f"{STORM / took_s:,.0f}/s, {cpu_us:.0f} µs of CPU each"),
        (f"{what}: become within {QUIET_S:.0f} s", f"{len(bodies):,} notification(s) about {told:,} alerts"),
    ]


def _cpu_s(pid: int) -> float:
    """A machine that is shared stretches times, and CPU hardly."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def _shots(port: int, hook: Hook) -> list[float]:
    """Fire one alert after the other, each of a group of its own, and wait for its message."""
    found: list[float] = []
    async with _connection(port) as line:
        for number in range(-10, SHOTS):  # the first ten warm both up
            hook.heard.clear()
            began_s = time.perf_counter()
            await line.post([_alert(f"Shot{number}")])
            await hook.heard.wait()
            found.append(hook.heard_s - began_s)
            await asyncio.sleep(PAUSE_S)
    return sorted(found[10:])


async def _storm(port: int, name: str = "Storm") -> float:
    """Post the storm over some connections at once; return the seconds until the last answer."""
    batches = [
        json.dumps([_alert(name, f"host-{number:05}", "warning") for number in range(first, first + BATCH)]).encode()
        for first in range(0, STORM, BATCH)
    ]

    async def some(mine: Sequence[bytes]) -> None:
        async with _connection(port) as line:
            for body in mine:
                await line.send(body)

    began_s = time.perf_counter()
    await asyncio.gather(*(some(batches[number::CONNECTIONS]) for number in range(CONNECTIONS)))
    return time.perf_counter() - began_s


def _alert(name: str, host: str = "a", severity: str = "critical") -> dict[str, object]:
    labels = {"alertname": name, "host": host, "severity": severity, "job": "bench"}
    return {"labels": labels, "annotations": {"summary": f"{name} on {host} is not as it should be"}}


@dataclass
class Hook:
    """What the receiver got, and when the newest came in."""

    bodies: list[bytes] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    heard_s: float = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request on this connection."""
        while body := await _read(reader):
            self.heard_s = time.perf_counter()
            self.bodies.append(body)
            self.heard.set()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@dataclass
class Line:
    """One kept connection to an API v2."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def post(self, alerts: Sequence[object]) -> None:
        await self.send(json.dumps(alerts).encode())

    async def send(self, body: bytes) -> None:
        head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        status = await self.reader.readline()
        assert b" 200 " in status, status
        await _read(self.reader)


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Return the body of one message, b"-" for an empty one, and b"" at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):  # a peer that is ended resets what it has open
        return b""
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return await reader.readexactly(length) if length else b"-"


@asynccontextmanager
async def _hook() -> AsyncIterator[tuple[Hook, str]]:
    hook = Hook()
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0, limit=2**24)
    try:
        yield hook, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def _ours(data_dir: Path, hook: str) -> AsyncIterator[tuple[int, int]]:
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.alerting_program", str(data_dir), str(port), hook]
    async with _running(command, port) as pid:
        yield port, pid


@asynccontextmanager
async def _peer(folder: Path, hook: str) -> AsyncIterator[tuple[int, int]]:
    assert ALERTMANAGER is not None
    port = _free_port()
    config = folder / "alertmanager.yml"
    config.write_text(PEER_CONFIG.format(hook=hook))
    command = [
        ALERTMANAGER,
        f"--config.file={config}",
        f"--storage.path={folder}/peer",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    async with _running(command, port) as pid:
        yield port, pid


@asynccontextmanager
async def _running(command: Sequence[str], port: int) -> AsyncIterator[int]:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        await _answers(port)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    """Return once the API takes an alert."""
    for _ in range(600):
        try:
            async with _connection(port) as line:
                await line.post([])
                return
        except (OSError, AssertionError):
            await asyncio.sleep(0.05)
    raise TimeoutError(f"nothing answers on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
