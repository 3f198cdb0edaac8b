"""How times, numbers and states are spelled on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag

MINUS = "−"  # a real minus sign is as wide as a digit
TONE = {
    "healthy": "good", "held": "good", "ready": "good", "normal": "good", "FILLED": "good",
    "starting": "calm", "started": "calm", "NEW": "calm", "PENDING_NEW": "calm", "CANCELED": "quiet",
    "PARTIALLY_FILLED": "calm", "PENDING_CANCEL": "calm", "PENDING_REPLACE": "calm", "EXPIRED": "quiet",
    "left": "quiet", "free": "quiet", "stopped": "quiet", "ABANDONED": "quiet",
    "degraded": "warn", "reduce_only": "warn", "draining": "warn", "expired": "warn", "UNKNOWN": "warn",
    "unknown": "warn", "unhealthy": "bad", "dead": "bad", "halted": "bad", "killed": "bad",
    "unarmed": "warn", "being repaired": "warn", "needs a person": "bad", "over": "quiet", "explained": "quiet",
    "REJECTED": "bad", "QUARANTINED": "bad",
}  # fmt: skip


def badge(state: object) -> Html:
    """Return a state as a pill: its word carries the meaning, its colour only repeats it."""
    word = str(state)
    return tag("span", word.replace("_", " ").lower(), class_=f"badge {TONE.get(word, 'calm')}")


def moment(at_ns: int, now_ns: int | None = None) -> Html:
    """Return a time, absolute (UTC) and relative; without `now_ns` the relative part is left to the page's clock."""
    if at_ns <= 0:
        return tag("span", "not known", class_="quiet")
    at = datetime.fromtimestamp(at_ns / 1e9, UTC)
    absolute = tag("time", at.strftime("%H:%M:%S"), datetime=at.isoformat(timespec="milliseconds"),
                   title=at.strftime("%Y-%m-%d %H:%M:%S UTC"))  # fmt: skip
    told = "" if now_ns is None else ago((now_ns - at_ns) / 1e9)
    return join((absolute, " ", tag("span", told, class_="ago", data_at=at_ns // 1_000_000)))


def ago(seconds: float) -> str:
    """Return an age in one unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


def number(value: object, *, places: int | None = None, sign: bool = False) -> str:
    """Return a decimal as given, or rounded to `places`; thousands apart, a real minus sign."""
    if value is None or value == "":
        return "–"
    try:
        decimal = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    text = f"{decimal:,f}" if places is None else f"{decimal:,.{places}f}"
    if sign and decimal > 0:
        text = f"+{text}"
    return text.replace("-", MINUS).replace(",", "\u202f")


def finest_places(rows: Sequence[Mapping[str, Any]], *keys: str) -> Mapping[str, int]:
    """Return, for each symbol, how many places its finest price has: with all of them prices stand in line."""
    finest: dict[str, int] = {}
    for row in rows:
        symbol = str(row.get("symbol", ""))
        places = max((decimal_places(row.get(key)) for key in keys), default=0)
        finest[symbol] = max(finest.get(symbol, 0), places)
    return finest


def decimal_places(value: object) -> int:
    """Return how many places a decimal is given with; 0 for what is none."""
    try:
        exponent = Decimal(str(value)).as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def size(count: float) -> str:
    """Return bytes in a unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def figure(name: str, value: str) -> Html:
    """Return a named figure, for a `dl` of figures."""
    return tag("div", tag("dt", name), tag("dd", value))
