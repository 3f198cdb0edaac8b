"""Exchanges where an unanswered order can be settled: asked for by our own id, in ids as ours are, on a spot market."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from trading_orchestrator.errors import Refused

# Read from ccxt 4.5.90: both create_order and fetch_order take `clientOrderId` there, and it has fetch_my_trades and a
# spot market. Others may take the id under a name of their own: add one here after its answers were tried
# (tests/integration/brokers keeps these lists to ccxt's source).
ASKED_BY_CLIENT_ID = frozenset(
    {"aster", "binance", "binanceus", "bitget", "bitrue", "bitstamp", "delta", "htx", "kucoin", "mexc", "myokx", "okx",
     "okxus", "phemex", "weex"}
)  # fmt: skip

# ccxt could ask there as well, and an order of ours would not be found, or not be taken. Our ids are 23 letters and
# digits; sources: the venues' API pages, as of 2026, and ccxt's own calls.
UNFIT: dict[str, str] = {
    "bithumb": "ccxt has no list of one's own trades there",
    "coinbaseexchange": "its client ids are UUIDs, and ours are not",
    "hyperliquid": "its client ids are 128-bit hexadecimal numbers, and ours are not",
    "kraken": "free client ids have at most 18 characters there, ours have 23, and ccxt asks by a number (userref)",
    "woo": "its client ids are integers, and ours are not",
}
DERIVATIVES_ONLY = frozenset(
    {"apex", "binancecoinm", "binanceusdm", "grvt", "kucoinfutures", "modetrade", "paradex", "woofipro"}
)


class NotAskedByClientId(Refused):
    """The exchange cannot tell what became of an order by the id we gave it, so nothing may be sent there."""

    code = "venue.no_client_ids"


class ClientIdParamUnused(Refused):
    """A parameter is named for an exchange that needs none, or that ccxt does not know."""

    code = "venue.client_id_param_unused"


class NoSpotMarket(Refused):
    """Trades are checked against balances, and a derivative's position is in none."""

    code = "venue.no_spot_market"


def check_client_ids(exchange: str, param: str = "") -> None:
    """Return for an exchange where an order without an answer can be settled.

    Args:
        param: the exchange's own name of the parameter by which an order is asked for by the client's id, as the
            config gives it; "" where ccxt knows it.

    Raises:
        NotAskedByClientId, NoSpotMarket: choose another one, or name the parameter.
        ClientIdParamUnused: there is nothing that it could be used for.
    """
    if param and (exchange in ASKED_BY_CLIENT_ID or not _is_known(exchange)):
        why = "ccxt knows how to ask there" if exchange in ASKED_BY_CLIENT_ID else "ccxt knows no such exchange"
        raise ClientIdParamUnused(
            f"exchange {exchange}: expected no client_id_param, was {param}: {why}", key="exchange", exchange=exchange
        )
    if exchange in DERIVATIVES_ONLY:
        raise NoSpotMarket(
            f"exchange {exchange}: expected one with a spot market, since trades are checked against balances "
            "and a derivative's position is in none",
            key="exchange",
            exchange=exchange,
        )
    if exchange not in ASKED_BY_CLIENT_ID and (exchange in UNFIT or not param):
        why, way = f" ({UNFIT[exchange]})" if exchange in UNFIT else "", ""
        if exchange not in UNFIT:
            way = "; where you have tried it yourself, client_id_param names the parameter it is asked by"
        raise NotAskedByClientId(
            f"exchange {exchange}: expected one that can be asked for an order by our own id{why}, so that an order "
            f"without an answer can be settled; those are {', '.join(sorted(ASKED_BY_CLIENT_ID))}{way}",
            key="exchange",
            exchange=exchange,
        )


def _is_known(exchange: str) -> bool:
    """Look for the exchange's file: to import ccxt costs a third of a second."""
    spec = importlib.util.find_spec("ccxt")
    folders = spec.submodule_search_locations or [] if spec is not None else []
    return any((Path(folder) / "async_support" / f"{exchange}.py").is_file() for folder in folders)
