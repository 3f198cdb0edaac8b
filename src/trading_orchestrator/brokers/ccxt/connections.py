"""Ending connections of ccxt that do not speak, so that the next watch dials again."""

from __future__ import annotations

from typing import Any


def drop_clients(exchange: Any, url: str, error: Exception) -> None:
    """End every connection to an address or below it; "" ends all of the exchange's."""
    for address, client in list(exchange.clients.items()):
        if url in ("", address) or address.startswith(f"{url}/"):
            client.on_error(error)
