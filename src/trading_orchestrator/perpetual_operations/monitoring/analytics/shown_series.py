"""What the analyst shows of itself, by the names that rules look at."""

from __future__ import annotations

ANOMALY_SCORE, EXHAUSTION = "anomaly_score", "trading_exhaustion_seconds"
