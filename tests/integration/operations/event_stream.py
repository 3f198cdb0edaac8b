"""Reading server-sent events as a browser does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec


@dataclass(frozen=True)
class Event:
    """One event; `retry_ms` when the server said when to come back."""

    name: str
    data: Any
    event_id: int | None
    retry_ms: int | None


async def events(response: httpx2.Response) -> AsyncIterator[Event]:
    """Yield the events of a stream until the server ends it."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield _event(fields)
            fields = {}


def _event(fields: dict[str, str]) -> Event:
    event_id, retry = fields.get("id"), fields.get("retry")
    return Event(
        fields.get("event", "message"),
        msgspec.json.decode(fields["data"]),
        int(event_id) if event_id is not None else None,
        int(retry) if retry is not None else None,
    )
