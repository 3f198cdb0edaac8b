"""What a receiver means by Retry-After: seconds, or a date."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0


def retry_after_s(header: str | None, *, now_s: float) -> float | None:
    """Return the seconds to wait, an hour at the longest; None when nothing usable was said."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_S)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - now_s
    except ValueError:
        return None
    return min(max(wait_s, 0.0), LONGEST_S)
