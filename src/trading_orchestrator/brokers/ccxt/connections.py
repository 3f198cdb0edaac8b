"""Ending connections of ccxt that do not speak, so that the next watch dials again."""

from __future__ import annotations

import asyncio
from typing import Any


def drop_clients(exchange: Any, url: str, error: Exception) -> None:
    """End every connection to an address or below it; "" ends all of the exchange's."""
    for address, client in list(exchange.clients.items()):
        if url in ("", address) or address.startswith(f"{url}/"):
            for waiting in list(client.futures.values()):
                waiting.add_done_callback(_hear)  # nobody waits for some of them any more
            client.on_error(error)


def _hear(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()
