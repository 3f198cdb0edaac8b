"""Which exchange is spoken to in which dialect."""

from __future__ import annotations

from trading_orchestrator.brokers.ccxt.binance_spot import BinanceSpot
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.ccxt.unified import Unified


def dialect_of(client: CcxtClient) -> Dialect:
    """Return the exact dialect where we have one, else the one over ccxt's unified words."""
    spot = client.config.options.get("defaultType", "spot") == "spot"
    return BinanceSpot(client) if spot and client.config.exchange in ("binance", "binanceus") else Unified(client)
