"""What a lane has done, counted where /metrics finds it."""

from __future__ import annotations

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.metrics import Meter

LATENCY_BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class LaneFigures:
    """The figures of one channel. Channels of one name in one process are counted together, reopened ones too.

    `last_answer`, `last_error`, when they came (on the wall clock) and `has_failed_last` are this lane's alone.
    """

    def __init__(self, meter: Meter, channel: str) -> None:
        self._sent = meter.counter("trading_alerts_sent_total", "Messages that arrived", channel=channel)
        self._failed = meter.counter("trading_alerts_send_failed_total", "Tries that failed", channel=channel)
        self._refused = meter.counter("trading_alerts_send_refused_total", "Messages refused for good", channel=channel)
        self._waiting = meter.gauge("trading_alerts_waiting", "Messages waiting for the budget", channel=channel)
        self._under_way = meter.gauge("trading_alerts_under_way", "Tries under way", channel=channel)
        self._latency = meter.histogram(
            "trading_alerts_send_seconds",
            "From the first byte to the receiver's answer",
            bounds=LATENCY_BOUNDS_S,
            channel=channel,
        )
        self.last_answer = ""
        self.last_answer_at_ns: int | None = None
        self.last_error = ""
        self.last_error_at_ns: int | None = None
        self.has_failed_last = False

    @property
    def sent_total(self) -> int:
        """Return how many messages arrived."""
        return int(self._sent.value)

    @property
    def failed_total(self) -> int:
        """Return how many tries did not arrive, or may not have."""
        return int(self._failed.value)

    @property
    def refused_total(self) -> int:
        """Return how many tries were refused for good."""
        return int(self._refused.value)

    @property
    def waiting(self) -> int:
        """Return how many messages wait for the budget."""
        return int(self._waiting.value)

    @property
    def under_way(self) -> int:
        """Return how many tries are under way."""
        return int(self._under_way.value)

    def waits(self, by: int) -> None:
        """One more waits, or one less."""
        self._waiting.set(self._waiting.value + by)

    def goes(self, by: int) -> None:
        """One more is under way, or one less."""
        self._under_way.set(self._under_way.value + by)

    def sent(self, answer: str, took_s: float, at_ns: int) -> None:
        """Count a letter that arrived."""
        self._sent.add()
        self._latency.observe(took_s)
        self.last_answer, self.last_answer_at_ns, self.has_failed_last = answer, at_ns, False

    def failed(self, error: OrchestratorError, at_ns: int) -> None:
        """Count a try that did not arrive, or that was refused for good."""
        (self._refused if isinstance(error, Refused) else self._failed).add()
        self.last_error, self.last_error_at_ns, self.has_failed_last = error.message, at_ns, True
