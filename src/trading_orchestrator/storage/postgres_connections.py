"""Connections to PostgreSQL for a pool, through asyncpg, an extra of the package."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from trading_orchestrator.errors import OrchestratorError, Refused, Transient

Import = Callable[[str], Any]
FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with @ : / ? # % in a password as %40 %3A %2F %3F %23 %25"
FATAL = frozenset({"FATAL", "PANIC"})
LOST_CLASS = "08"  # connection_exception: asyncpg gives it to whatever the server cut short
READ_ONLY = "25006"  # after a failover the old primary says so for ever; another connection finds the new one


class PostgresRefused(Refused):
    """The address cannot be read, or asyncpg is not installed. Its words never repeat the address."""

    code = "postgres.refused"


class PostgresUnreachable(Transient):
    """No connection was made; the server's words say whether anybody must act. Facts: place, error, sqlstate.

    A password that is wrong counts as well: what nobody can log in to is down, and its circuit is to open.
    """

    code = "postgres.unreachable"


class PostgresConnector:
    """Opens, pings, resets and closes connections of asyncpg. Use from one event loop.

    >>> postgres = PostgresConnector("postgresql://shop@db.example/shop", password=password)
    >>> sales = operations.add_pool("sales", postgres, is_harmless=postgres.is_harmless)
    >>> async with sales.use() as connection:
    ...     await connection.fetch("SELECT ...")

    Args:
        dsn: as asyncpg takes it; it stays in here, with its password.
        import_module: where asyncpg comes from. By name, not by statement: programs without PostgreSQL need it not.
        settings: more of what `asyncpg.connect` takes, such as `ssl`, `server_settings` or `command_timeout`.
            A callable as `password` is asked at each opening, so that a new one needs no restart.

    Raises:
        PostgresRefused: correct the address, or install asyncpg.
    """

    def __init__(self, dsn: str, *, import_module: Import = importlib.import_module, **settings: Any) -> None:
        self.place = place_of(dsn)
        self._dsn = dsn
        self._settings = settings
        try:
            self._asyncpg = import_module("asyncpg")
        except ImportError:
            raise PostgresRefused(
                "expected asyncpg to reach PostgreSQL, was not installed: pip install 'trading-orchestrator[postgres]'"
            ) from None

    async def open(self) -> Any:
        """Return an `asyncpg.Connection`.

        Raises:
            PostgresUnreachable: there is none to be had now.
        """
        try:
            return await self._asyncpg.connect(self._dsn, **self._settings)
        except OrchestratorError:
            raise  # of whoever was asked for the password
        except Exception as error:  # noqa: BLE001  # sockets, TLS, names and asyncpg have no root in common
            raise PostgresUnreachable(
                f"no connection to {self.place}: {self._words_of(error)}",
                place=self.place,
                error=type(error).__name__,
                sqlstate=_sqlstate(error),
            ) from None

    async def ping(self, connection: Any) -> None:
        await connection.execute("SELECT 1")  # no prepared statement: also through PgBouncer

    def is_open(self, connection: Any) -> bool:
        return not connection.is_closed()

    async def reset(self, connection: Any) -> None:
        """Roll back, and drop locks, cursors, listeners and settings, as asyncpg's own pool does."""
        await connection.reset()

    async def close(self, connection: Any) -> None:
        """End what still runs, and say goodbye; when cancelled or in vain, the socket is closed all the same."""
        await connection.close()

    def is_harmless(self, error: BaseException) -> bool:
        """Return whether nothing in the error says that the connection is lost; the reset after it is the proof.

        So a constraint, a syntax error or an error of the program's own keeps it; what was cancelled or timed out,
        what ended the session, and a server that became read-only do not.
        """
        if not isinstance(error, Exception) or isinstance(error, OSError | self._asyncpg.InternalClientError):
            return False  # a TimeoutError is an OSError
        severity = getattr(error, "severity_en", None) or getattr(error, "severity", None)
        state = _sqlstate(error)
        return not (severity in FATAL or state.startswith(LOST_CLASS) or state == READ_ONLY)

    def _words_of(self, error: Exception) -> str:
        """Return what is known to hold no part of the address: others are told by their kind alone."""
        is_safe = isinstance(error, self._asyncpg.PostgresError | self._asyncpg.InterfaceError | OSError)
        return (is_safe and str(error)) or type(error).__name__


def place_of(dsn: str) -> str:
    """Return host, port and database of an address, which may be shown.

    Raises:
        PostgresRefused: it is none, or a character of its password would be taken for a part of the address; asyncpg
            would look up the rest of such a password as a host.
    """
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        login, _, hosts = parts.netloc.rpartition("@")
        ports = [int(port) for host in hosts.split(",") if (port := host.rpartition("]")[2].partition(":")[2])]
    except ValueError:
        raise PostgresRefused(f"expected {FORM}; was something else") from None
    stray = "@" in login + parts.path + parts.query or parts.fragment
    if parts.scheme not in ("postgresql", "postgres") or stray or any(not 0 < port < 65536 for port in ports):
        raise PostgresRefused(f"expected {FORM}; was something else")
    hosts = hosts or ",".join(query.get("host", ["the default host"]))
    database = parts.path.removeprefix("/") or (query.get("dbname") or query.get("database") or [""])[-1]
    return f"{unquote(hosts)}/{unquote(database)}"


def _sqlstate(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or ""
