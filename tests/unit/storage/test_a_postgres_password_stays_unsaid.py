"""An address of PostgreSQL: its place may be shown; its password is in no error and no log, whatever is wrong."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolConfig
from trading_orchestrator.storage.postgres_connections import (
    PostgresConnector,
    PostgresRefused,
    PostgresUnreachable,
    place_of,
)

SECRET = "sesame"
UNREADABLE = (
    f"postgresql://shop:{SECRET}@open@db/shop",
    f"postgresql://shop:{SECRET}/open@db/shop",
    f"postgresql://shop:1/{SECRET}@db/shop",
    f"postgresql://shop:open#{SECRET}@db/shop",
    f"postgresql://shop:open?{SECRET}@db/shop",
    f"postgresql://shop:1?a={SECRET}@db/shop",
    f"postgresql://shop:[{SECRET}@db/shop",
    f"postgresql://shop:open@{SECRET}:word@db/shop",
    f"postgresql://db:{SECRET}/shop",
    f"postgresql://shop:{SECRET}\u2100@db/shop",
    f"postgresql://shop@db/shop?{SECRET}",
    f"shop:{SECRET}@db/shop",
    SECRET,
)


def all_said(error: BaseException) -> str:
    facts = repr(error.facts) if isinstance(error, OrchestratorError) else ""
    return "".join(traceback.format_exception(error)) + repr(error) + facts


@pytest.mark.parametrize("dsn", UNREADABLE, ids=range(len(UNREADABLE)))
def test_an_address_that_cannot_be_read_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(PostgresRefused) as refused:
        PostgresConnector(dsn)

    assert "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE" in refused.value.message
    assert SECRET not in all_said(refused.value)


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        (f"postgresql://shop:{SECRET}@db.example:5433/shop", "db.example:5433/shop"),
        (f"postgres://shop:{SECRET}%40%2F@db/shop?sslmode=require", "db/shop"),
        (f"postgresql://shop:{SECRET}@one:5432,[::1]:5433/shop", "one:5432,[::1]:5433/shop"),
        (f"postgresql:///shop?host=%2Frun%2Fpg&user=shop&password={SECRET}", "/run/pg/shop"),
        (f"postgresql://?service=shop&password={SECRET}", "the default host/"),
    ],
)
def test_the_place_is_what_may_be_shown(dsn: str, place: str) -> None:
    connector = PostgresConnector(dsn)

    assert place == place_of(dsn) == connector.place
    assert SECRET not in repr(connector)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sslmode": SECRET},
        {"ssl": "no such mode"},
        {"timeout": 0},
        {"server_settings": {"search_path": 7}},
        {"host": ["one", "two"], "port": [1, 2, 3]},
    ],
    ids=["nobody listens", "no such setting", "no such mode", "no time", "no text", "no match"],
)
async def test_a_connection_that_cannot_be_made_says_why_without_it(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connector = PostgresConnector(f"postgresql://shop:{SECRET}@127.0.0.1:1/shop", **settings)
    pool: ConnectionPool[Any] = ConnectionPool("shop", connector, PoolConfig(), SystemClock())
    with pytest.raises(PostgresUnreachable, match=r"no connection to 127\.0\.0\.1:1/shop: .") as unreachable:
        async with pool.use():
            pass

    assert SECRET not in all_said(unreachable.value)
    assert SECRET not in caplog.text


async def test_a_password_that_is_kept_elsewhere_is_asked_for_at_each_opening() -> None:
    asked: list[str] = []

    def password() -> str:
        asked.append("asked")
        raise PostgresRefused("the vault is shut")

    connector = PostgresConnector("postgresql://shop@127.0.0.1:1/shop", password=password)
    for _ in range(2):
        with pytest.raises(PostgresRefused, match="the vault is shut"):
            await connector.open()

    assert 2 == len(asked)


def test_without_asyncpg_one_sentence_says_what_to_install() -> None:
    def without(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    with pytest.raises(PostgresRefused, match=r"pip install 'trading-orchestrator\[postgres\]'"):
        PostgresConnector("postgresql://db/shop", import_module=without)
