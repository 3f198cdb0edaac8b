"""Two consoles share one listening descriptor: leaving and taking lose no request and hold up nobody."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx2
import pytest

from tests.integration.operations.conftest import CLOCK, HeldSeat, PracticeDesk, make_operations
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.storage.sqlite import SqliteStore


@pytest.fixture
def successor(store: SqliteStore, listener: socket.socket, tmp_path: Path) -> ConsoleServer:
    return ConsoleServer(make_operations(store, tmp_path, node="c"), listener=listener, clock=CLOCK)


async def served_by(client: httpx2.AsyncClient) -> str:
    answer = await client.get("/api/dashboard/overview")
    assert 200 == answer.status_code
    return str(answer.json()["served_by"])


@pytest.mark.usefixtures("desk")
async def test_a_client_that_never_pauses_sees_no_error(
    console: ConsoleServer, successor: ConsoleServer, client: httpx2.AsyncClient
) -> None:
    answers: list[str] = []
    more = asyncio.Semaphore(0)
    await successor.warm()

    async def ask_for_ever() -> None:
        while True:
            answers.append(await served_by(client))
            more.release()

    asking = [asyncio.create_task(ask_for_ever()) for _ in range(4)]
    for leaving, taking in [(console, successor), (successor, console)] * 3:
        for _ in range(20):
            await more.acquire()
        await leaving.leave(5)
        await taking.take(HeldSeat())
    for task in asking:
        task.cancel()
    for outcome in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(outcome, asyncio.CancelledError), outcome
    await successor.close()

    assert {"b", "c"} == set(answers)


async def test_connections_wait_in_the_backlog_while_nobody_accepts(
    console: ConsoleServer, successor: ConsoleServer, base_url: str
) -> None:
    await console.leave(0)
    async with httpx2.AsyncClient(base_url=base_url) as client:
        asking = asyncio.create_task(served_by(client))
        done, _ = await asyncio.wait((asking,), timeout=0.1)
        assert set() == done
        await successor.warm()
        await successor.take(HeldSeat())

        assert "c" == await asking
    await successor.leave(0)
    await successor.close()


async def test_an_idle_connection_is_answered_once_more_and_told_to_close(
    console: ConsoleServer, client: httpx2.AsyncClient
) -> None:
    await client.get("/livez")
    await console.leave(5)
    answer = await client.get("/livez")

    assert (200, "close") == (answer.status_code, answer.headers["connection"])
    await console.close()


async def test_closing_waits_no_longer_than_the_deadline_for_idle_connections(
    console: ConsoleServer, listener: socket.socket
) -> None:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"}")

    await console.leave(0.2)
    assert not reader.at_eof()
    await console.close()

    assert b"" == await reader.read()
    writer.close()


async def test_an_open_stream_does_not_hold_up_leaving(console: ConsoleServer, client: httpx2.AsyncClient) -> None:
    async with client.stream("GET", "/api/live?view=page") as stream:
        await anext(stream.aiter_lines())
        async with asyncio.timeout(2):
            await console.leave(60)
            await console.close()


async def test_the_keepers_descriptor_stays_open(console: ConsoleServer, listener: socket.socket) -> None:
    await console.leave(0)
    await console.close()

    with socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        accepted.close()


async def test_a_lost_lease_ends_everything_at_once(console: ConsoleServer, listener: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"event: hello")

    await console.leave(0)

    await reader.read()  # to its end: a connection that stays open would hang here
    assert reader.at_eof()
    writer.close()


async def test_only_the_holder_writes_the_log_back(
    desk: PracticeDesk, store: SqliteStore, listener: socket.socket, tmp_path: Path
) -> None:
    calls: list[int] = []
    called = asyncio.Event()

    async def checkpoint() -> None:
        calls.append(len(calls))
        called.set()

    server = ConsoleServer(
        make_operations(store, tmp_path),
        listener=listener,
        clock=CLOCK,
        checkpoint=checkpoint,
        checkpoint_every_s=0.001,
    )
    await server.warm()
    assert [] == calls
    await server.take(HeldSeat())
    await called.wait()
    await server.leave(0)
    made = len(calls)
    await CLOCK.sleep(0.02)

    assert made == len(calls)
    await server.close()


async def test_after_leaving_nothing_of_it_runs(
    console: ConsoleServer, successor: ConsoleServer, client: httpx2.AsyncClient
) -> None:
    await console.leave(0)
    await console.close()

    running = {task.get_name() for task in asyncio.all_tasks()}
    assert not {"live_page", "live_facts", "health_checker", "system_monitor", "event_loop"} & running
