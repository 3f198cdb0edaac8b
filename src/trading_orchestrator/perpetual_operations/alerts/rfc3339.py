"""Times as Alertmanager writes and reads them: RFC 3339, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime

from trading_orchestrator.errors import Refused

LATEST_NS = 253_402_300_799_999_000_000  # what comes later is written as the last moment of the year 9999
NEVER_YEAR = 1  # Go's zero time: 0001-01-01T00:00:00Z


class WordsRefused(Refused):
    """A body of API v2 cannot be understood. Facts: text."""

    code = "alerts.words_refused"


def time_ns(text: str) -> int | None:
    """Return RFC 3339 as ns; None for nothing and for Go's zero time.

    Raises:
        WordsRefused: it is no time.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WordsRefused(f"expected a time such as 2026-11-22T21:30:00Z, was {text!r}", text=text) from None
    if at.year == NEVER_YEAR:
        return None
    whole = int(at.replace(microsecond=0, tzinfo=at.tzinfo or UTC).timestamp())
    return whole * 1_000_000_000 + at.microsecond * 1_000


def rfc3339(at_ns: int) -> str:
    """Return the time to the millisecond, as Alertmanager writes it."""
    at_ns = min(at_ns, LATEST_NS)
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns // 1_000_000 % 1000:03d}Z"
