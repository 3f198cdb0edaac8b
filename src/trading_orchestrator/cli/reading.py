"""The journal, opened by a command that only reads; a running system beside it does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trading_orchestrator.app import settings as hall
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.storage.ports import FactStore, ProjectionRow
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

T = TypeVar("T")
_INTERNAL = "record"  # what trading revives an order from; not for readers


def ask(config: Path | None, data_dir: Path | None, question: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Open the journal of this data directory, return the answer to the question, and close it.

    Raises:
        JournalMissing and the other errors of `open_store`: the sentence says what to do.
    """

    async def asked() -> T:
        async with _opened(hall.find_data_dir(config, data_dir)) as store:
            return await question(store)

    return asyncio.run(asked())


@asynccontextmanager
async def _opened(data_dir: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(data_dir / hall.JOURNAL_FILE, clock=SystemClock(), create=False)
    try:
        yield store
    finally:
        await store.close()


def fields_of(row: ProjectionRow) -> dict[str, Any]:
    """Return what a row shows."""
    fields: dict[str, Any] = msgspec.json.decode(row.value)
    fields.pop(_INTERNAL, None)
    return fields


async def check_desk(store: FactStore, desk: str | None) -> None:
    """Refuse a desk that this journal has never seen, naming the nearest.

    Raises:
        Refused: there is no such desk.
    """
    known = [row.key for row in await store.rows("desks", limit=1_000)]
    if desk is not None and desk not in known:
        raise Refused(f"no desk {desk!r} in this journal; {nearest(desk, known) if known else 'it has none yet'}")


def as_json(value: object) -> str:
    """Return a value as one line of JSON."""
    return msgspec.json.encode(value).decode()
