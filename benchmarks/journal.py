"""The journal's figures: facts/s against bare apsw, append latency alone and under contention, fsync/s, verify."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import median

import apsw
import uvloop

from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import FactStore, NewFact
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.connection import connect_writer
from trading_orchestrator.storage.sqlite.schema import shipped_migrations

CALLERS = 50
ROUND_FACTS = 10_000
ROUNDS = 7
APPENDS = 1500
BODY = {"cl_ord_id": "to-a2b3c4d5e6f7a2b3c4d5", "order_qty": "1500", "px": "1.10234", "side": "buy", "tif": "gtc"}


def main() -> Sequence[tuple[str, str]]:
    """Measure for about 15 s, print a table, and return its rows. The disk is that of the system's temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as directory:
        rows = uvloop.run(_measure(Path(directory)))  # the loop that nodes run on
    for what, figure in rows:
        print(f"{what:<62} {figure}")
    return rows


async def _measure(directory: Path) -> list[tuple[str, str]]:
    store = await open_store(directory / "journal.db", clock=SystemClock())
    bare = _bare_journal(directory / "bare.db")
    rows = [("disk: 4 KiB write + fdatasync", f"{_syncs_per_s(directory):,.0f}/s")]
    rows += await _throughput(store, bare)
    bare.close()
    rows.append(("append alone", _spread(await _latencies_ms(store))))
    rows += await _contended(store, directory / "journal.db")
    rows.append(("disk, again", f"{_syncs_per_s(directory):,.0f}/s"))
    await store.close()
    began = time.perf_counter()
    report = verify(directory / "journal.db")
    taken_s = time.perf_counter() - began
    rows.append((f"verify {report.facts:,} facts", f"{report.facts / taken_s:,.0f} facts/s, whole: {report.ok}"))
    return rows


def _syncs_per_s(directory: Path) -> float:
    fd = os.open(directory / "sync", os.O_RDWR | os.O_CREAT, 0o600)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.5:
        os.pwrite(fd, bytes(4096), count % 256 * 4096)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    return count / (time.perf_counter() - began)


def _bare_journal(path: Path) -> apsw.Connection:
    connection = connect_writer(path)
    connection.execute(shipped_migrations()[0].sql)
    return connection


async def _throughput(store: FactStore, bare: apsw.Connection) -> list[tuple[str, str]]:
    """Journal and bare engine by turns, because a disk's speed moves from second to second; the first turn warms."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ROUNDS + 1):
        ours.append(await _journal_facts_per_s(store))
        theirs.append(_bare_rows_per_s(bare, number * ROUND_FACTS))
    del ours[0], theirs[0]
    journal, engine = median(ours), median(theirs)
    rounds = ", ".join(f"{a / b:.2f}" for a, b in zip(ours, theirs, strict=True))
    return [
        (f"journal: {CALLERS} callers of one fact each, chained", f"{journal:,.0f} facts/s"),
        (f"bare apsw: the same rows, {CALLERS} a commit", f"{engine:,.0f} rows/s"),
        ("ratio (aim ≥ 0.6)", f"{journal / engine:.2f} (rounds {rounds})"),
    ]


async def _journal_facts_per_s(store: FactStore) -> float:
    async def caller() -> None:
        for _ in range(ROUND_FACTS // CALLERS):
            await store.append([NewFact("cluster", "order.intended", BODY)], node="bench", fence=None)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return ROUND_FACTS / (time.perf_counter() - began)


def _bare_rows_per_s(connection: apsw.Connection, first: int) -> float:
    body = b'{"cl_ord_id":"to-a2b3c4d5e6f7a2b3c4d5","order_qty":"1500","px":"1.10234","side":"buy","tif":"gtc"}'
    digest = blake2b(body, digest_size=32).digest()
    at_ns = 1_700_000_000_000_000_000
    rows = [
        (pos, 1, pos, at_ns + pos, "bench", 0, "order.intended", body, digest, digest)
        for pos in range(first + 1, first + ROUND_FACTS + 1)
    ]
    began = time.perf_counter()
    for start in range(0, ROUND_FACTS, CALLERS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows[start : start + CALLERS])
        connection.execute("COMMIT")
    return ROUND_FACTS / (time.perf_counter() - began)


async def _latencies_ms(store: FactStore) -> list[float]:
    taken: list[float] = []
    for _ in range(APPENDS):
        began = time.perf_counter()
        await store.append([NewFact("cluster", "order.intended", BODY)], node="bench", fence=None)
        taken.append((time.perf_counter() - began) * 1e3)
    return sorted(taken)


async def _contended(store: FactStore, path: Path) -> list[tuple[str, str]]:
    """A second process commits groups of 50 without pause while we append one fact at a time."""
    command = [sys.executable, "-m", "benchmarks.journal", "contend", str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    taken = await _latencies_ms(store)
    said, _ = await process.communicate(b"over")
    other = said.decode().strip()
    return [("append while another process commits groups (aim p99 ≤ 15 ms)", f"{_spread(taken)}; it: {other}")]


def _spread(taken: list[float]) -> str:
    p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {taken[-1]:.2f} ms"


async def _contend(path: Path) -> None:
    """Commit groups of 50 until standard input closes; say how fast."""
    store = await open_store(path, clock=SystemClock())
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    print("ready", flush=True)
    began, written = time.perf_counter(), 0
    while not over.done():
        facts = [NewFact("config", "value.changed", BODY)]
        await asyncio.gather(*(store.append(facts, node="other", fence=None) for _ in range(CALLERS)))
        written += CALLERS
    print(f"{written / (time.perf_counter() - began):,.0f} facts/s")
    await store.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["contend"]:
        uvloop.run(_contend(Path(sys.argv[2])))
    else:
        main()
