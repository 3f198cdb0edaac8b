"""What a venue says of its request weight, and what one unit of ccxt's cost is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class WeightWords(NamedTuple):
    """`per_cost`: the venue's weight of one unit of ccxt's cost. `used_header`: where it tells this minute's sum."""

    per_cost: float = 1.0
    used_header: str = ""


# Binance: binance-spot-api-docs, rest-api.md, "IP Limits"; ccxt counts a weight of 5 as 1 (rateLimit 50 ms = 6,000).
WORDS: Mapping[str, WeightWords] = {
    "binance": WeightWords(5.0, "x-mbx-used-weight-1m"),
    "binanceus": WeightWords(1.0, "x-mbx-used-weight-1m"),
}
ELSE = WeightWords()
ORDERS_ONLY = frozenset({"-1015"})
"""Codes of a 429 that refuse new orders only: questions and cancels may go on (Binance: too many new orders)."""


def words_of(exchange: str) -> WeightWords:
    return WORDS.get(exchange, ELSE)


def ccxts_limit_per_min(exchange: Any) -> float:
    """Return the weight a minute that ccxt's own pace for the exchange amounts to; 0 when it has none."""
    every_ms = float(exchange.rateLimit or 0)
    return 60_000 / every_ms * words_of(exchange.id).per_cost if every_ms > 0 else 0.0


def told_used(exchange: str, headers: Mapping[str, str]) -> float | None:
    """Return the weight used in this minute as an answer tells it, or None."""
    name = words_of(exchange).used_header
    if not name:
        return None
    for header, value in headers.items():
        if header.lower() == name:
            return float(value) if value.isdecimal() else None
    return None


def told_limit_per_min(parsed: Any) -> float | None:
    """Return the limit that Binance's exchangeInfo names, or None for any other answer."""
    if not isinstance(parsed, dict) or not isinstance(parsed.get("rateLimits"), list):
        return None
    for row in parsed["rateLimits"]:
        if isinstance(row, dict) and (row.get("rateLimitType"), row.get("interval")) == ("REQUEST_WEIGHT", "MINUTE"):
            return float(row["limit"]) / float(row.get("intervalNum") or 1)
    return None
