"""Exchanges that can be asked for an order by our own id: without that, an unanswered order can never be settled."""

from __future__ import annotations

from trading_orchestrator.errors import Refused

# Read from ccxt 4.5.90: both create_order and fetch_order take `clientOrderId` there. Others may take it under a name
# of their own: add one here after its answers were tried (tests/integration/brokers keeps this list to ccxt's source).
ASKED_BY_CLIENT_ID = frozenset(
    {"apex", "aster", "binance", "binancecoinm", "binanceus", "binanceusdm", "bitget", "bithumb", "bitrue",
     "bitstamp", "coinbaseexchange", "delta", "grvt", "htx", "hyperliquid", "kraken", "kucoin",
     "kucoinfutures", "mexc", "modetrade", "myokx", "okx", "okxus", "paradex", "phemex", "weex", "woo",
     "woofipro"}
)  # fmt: skip


class NotAskedByClientId(Refused):
    """The exchange cannot tell what became of an order by the id we gave it, so nothing may be sent there."""

    code = "venue.no_client_ids"


def check_client_ids(exchange: str) -> None:
    """Raise NotAskedByClientId for an exchange that is not known to be asked by our ids."""
    if exchange not in ASKED_BY_CLIENT_ID:
        raise NotAskedByClientId(
            f"exchange {exchange}: expected one that ccxt can ask for an order by our own id, so that an order without "
            f"an answer can be settled; those are {', '.join(sorted(ASKED_BY_CLIENT_ID))}",
            key="exchange",
            exchange=exchange,
        )
