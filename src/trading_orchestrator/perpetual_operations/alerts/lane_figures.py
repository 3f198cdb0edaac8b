"""What a lane has done, as plain numbers that a metrics registry can read at any time."""

from __future__ import annotations

from dataclasses import dataclass, field

from trading_orchestrator.errors import OrchestratorError, Refused

LATENCY_BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class LaneFigures:
    """`latency_counts`: answered tries up to each of LATENCY_BOUNDS_S, the last for all above; not cumulative."""

    sent_total: int = 0
    failed_total: int = 0
    refused_total: int = 0
    waiting: int = 0
    under_way: int = 0
    latency_sum_s: float = 0.0
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    last_answer: str = ""
    last_error: str = ""
    has_failed_last: bool = False

    def sent(self, answer: str, took_s: float) -> None:
        """Count a letter that arrived."""
        self.sent_total += 1
        self.latency_sum_s += took_s
        self.latency_counts[sum(took_s > bound for bound in LATENCY_BOUNDS_S)] += 1
        self.last_answer, self.has_failed_last = answer, False

    def failed(self, error: OrchestratorError) -> None:
        """Count a try that did not arrive, or that was refused for good."""
        if isinstance(error, Refused):
            self.refused_total += 1
        else:
            self.failed_total += 1
        self.last_error, self.has_failed_last = error.message, True
