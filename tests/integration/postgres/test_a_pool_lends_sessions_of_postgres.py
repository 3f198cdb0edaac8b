"""A pool before a real PostgreSQL: its bounds hold there, no session is handed on, and none stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.integration.postgres.cluster import Cluster
from tests.integration.postgres.conftest import MakePool
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolExhausted
from trading_orchestrator.storage.postgres_connections import PostgresConnector, PostgresUnreachable

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'"
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


async def pid_of(pool: ConnectionPool[Any]) -> int:
    """Return which backend answers at present."""
    async with pool.use() as connection:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def sessions_come_to(count: int, watcher: Any) -> None:
    """Return when the server has so many; it ends a session a moment after its client left."""
    async with asyncio.timeout(20):
        while count != await watcher.fetchval(SESSIONS):
            await watcher.execute("SELECT pg_sleep(0.01)")


async def test_the_server_never_sees_more_than_its_size_and_waits_are_measured(
    make_pool: MakePool, watcher: Any
) -> None:
    pool = make_pool(size=2, wait_s=30)
    seen: list[int] = []

    async def work() -> None:
        async with pool.use() as connection:
            await connection.execute("SELECT pg_sleep(0.1)")
            seen.append(await watcher_says())

    turn = asyncio.Lock()

    async def watcher_says() -> int:
        async with turn:
            return int(await watcher.fetchval(SESSIONS))

    await asyncio.gather(*(work() for _ in range(6)))
    status = pool.status()

    assert (2, 2, 6) == (max(seen), status.opened_total, status.used_total)
    assert (0, 2, 6) == (status.in_use, status.idle, sum(status.wait_counts))
    assert status.wait_sum_s >= 0.1 * (2 + 2 + 4 + 4) / 2 * 0.9
    assert status.wait_p99_ms >= 100


async def test_who_finds_none_free_is_told_and_who_keeps_one_is_named(make_pool: MakePool) -> None:
    pool = make_pool(size=1, wait_s=0.05, checked_out_s=0.01)
    async with pool.use() as connection:
        with pytest.raises(PoolExhausted, match=r"no connection within 0\.05 s \(1 of 1 in use"):
            await pid_of(pool)
        await connection.execute("SELECT pg_sleep(0.05)")
        (leak,) = pool.status().leaks

    assert leak.who.startswith("test_a_pool_lends_sessions_of_postgres.py:")
    assert () == pool.status().leaks


async def test_nothing_of_one_use_is_left_at_the_next(make_pool: MakePool, watcher: Any) -> None:
    pool = make_pool(size=1)
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, said: heard.append(said["message"]))
    async with pool.use() as connection:
        first = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("CREATE TABLE sales (thing text)")
        await connection.execute("SET statement_timeout = '7s'")
        await connection.execute("SELECT pg_advisory_lock(7)")
        await connection.add_listener("prices", lambda *said: heard.append(said))
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO sales VALUES ('apple')")

    locks = await watcher.fetchval(LOCKS)
    await watcher.execute("NOTIFY prices")
    async with pool.use() as connection:
        second = await connection.fetchval("SELECT pg_backend_pid()")
        sold = await connection.fetchval("SELECT count(*) FROM sales")
        waits = await connection.fetchval("SHOW statement_timeout")
        await connection.execute("DROP TABLE sales")

    assert (first, 0, "0", 0) == (second, sold, waits, locks)
    assert 1 == len(heard)
    assert heard[0].startswith("Resetting connection with an active transaction")


@pytest.mark.parametrize(
    ("sql", "is_kept"),
    [
        ("SELECT 1 / 0", True),
        ("SELEC 1", True),
        ("SELECT $1::int", True),
        ("SELECT pg_terminate_backend(pg_backend_pid())", False),
        ("BEGIN READ ONLY; CREATE TABLE gone (it int)", False),
    ],
)
async def test_an_error_costs_the_connection_only_when_it_is_lost(make_pool: MakePool, sql: str, is_kept: bool) -> None:
    pool = make_pool(size=1)
    before = await pid_of(pool)
    with pytest.raises(Exception, match=r"."):
        async with pool.use() as connection:
            await connection.execute(sql, *(["seven"] if "$1" in sql else []))

    assert is_kept is (before == await pid_of(pool))


async def test_an_error_of_the_programs_own_keeps_it_and_a_cancelled_caller_does_not(
    make_pool: MakePool, watcher: Any
) -> None:
    pool = make_pool(size=1)
    before = await pid_of(pool)
    with pytest.raises(KeyError):
        async with pool.use():
            raise KeyError("no such thing")
    kept = await pid_of(pool)

    async def work() -> None:
        async with pool.use() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    asking = asyncio.create_task(work())
    await asyncio.wait((asking,), timeout=0.1)
    asking.cancel()
    await asyncio.wait((asking,))
    await sessions_come_to(0, watcher)  # and nothing of it runs on

    assert before == kept
    assert before != await pid_of(pool)


async def test_a_time_out_that_the_program_swallows_leaves_a_connection_in_order(make_pool: MakePool) -> None:
    pool = make_pool(size=1)
    async with pool.use() as connection:
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT pg_sleep(60)", timeout=0.05)

    assert await pid_of(pool) > 0


async def test_a_backend_that_was_killed_is_not_lent(make_pool: MakePool, watcher: Any) -> None:
    pool = make_pool(size=1)
    killed = await pid_of(pool)
    await watcher.execute("SELECT pg_terminate_backend($1, 20000)".replace("$1", str(killed)))

    assert killed != await pid_of(pool)
    assert (2, 1) == (pool.status().opened_total, pool.status().closed_total)


async def test_tending_replaces_what_was_killed_and_pings_the_rest(make_pool: MakePool, watcher: Any) -> None:
    pool = make_pool(size=2, ping_every_s=1e-6)
    async with pool.use() as one, pool.use() as other:
        killed, kept = [await each.fetchval("SELECT pg_backend_pid()") for each in (one, other)]
    await watcher.execute(f"SELECT pg_terminate_backend({killed}, 20000)")
    await pool.tend()

    assert (1, 1) == (pool.status().idle, pool.status().closed_total)
    assert kept == await pid_of(pool)


async def test_a_backend_that_stands_still_is_given_up_at_the_pings_deadline(make_pool: MakePool, watcher: Any) -> None:
    pool = make_pool(size=1, ping_every_s=1e-6, ping_s=0.2)
    mute = await pid_of(pool)
    os.kill(mute, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            answers = await pid_of(pool)
    finally:
        os.kill(mute, signal.SIGCONT)
    await sessions_come_to(1, watcher)

    assert mute != answers


async def test_a_drain_leaves_no_session_behind(make_pool: MakePool, watcher: Any) -> None:
    pool = make_pool(size=3)
    async with pool.use(), pool.use():
        await pid_of(pool)
        before = await watcher.fetchval(SESSIONS)
        late = await pool.drain(0.1)
        await sessions_come_to(0, watcher)

    assert (3, 2) == (before, late)
    assert (3, 0, 0) == (pool.status().closed_total, pool.status().idle, pool.status().in_use)


async def test_a_refused_login_is_told_by_the_servers_own_words(cluster: Cluster) -> None:
    with pytest.raises(PostgresUnreachable) as refused:
        await PostgresConnector(cluster.dsn, password="sesame").open()

    place = cluster.place
    assert f'no connection to {place}: password authentication failed for user "shop"' == refused.value.message
    assert {"place": place, "error": "InvalidPasswordError", "sqlstate": "28P01"} == refused.value.facts


async def test_a_restarted_server_is_found_again_without_an_error(make_pool: MakePool, cluster: Cluster) -> None:
    pool = make_pool(size=3)
    async with pool.use(), pool.use(), pool.use():
        pass
    cluster.stop()
    async with asyncio.timeout(20):
        while pool.status().idle:  # until the loop has read that they were cut
            await pool.tend()
            await asyncio.sleep(0)
    with pytest.raises(PostgresUnreachable, match="No such file"):
        await pid_of(pool)
    cluster.start()

    assert await pid_of(pool) > 0
    assert (1, 3) == (pool.status().idle, pool.status().closed_total)
