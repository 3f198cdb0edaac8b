"""Request weight per minute, as Binance counts it: every request costs, refused ones too."""

from collections.abc import Callable

from trading_orchestrator.practice_venue.refusals import too_heavy

MINUTE_MS = 60_000


class Weights:
    """Counts all clients together, since all of them come from one address. Minutes are those of the wall clock.

    With a limit of 0 it counts and refuses nothing.
    """

    def __init__(self, limit: int, now_ms: Callable[[], int]) -> None:
        self.used = 0
        self._limit = limit
        self._now_ms = now_ms
        self._minute = 0

    def spend(self, weight: int) -> None:
        """Count a request. Raises the refusal -1003 when the minute's limit is exceeded."""
        now_ms = self._now_ms()
        if now_ms // MINUTE_MS != self._minute:
            self._minute, self.used = now_ms // MINUTE_MS, 0
        self.used += weight
        if self._limit and self.used > self._limit:
            raise too_heavy(self._limit, retry_after_s=60 - now_ms % MINUTE_MS // 1000)
