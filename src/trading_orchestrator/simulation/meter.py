"""The request budget's arithmetic, done a second time and by somebody else (invariant I10)."""

from __future__ import annotations

from trading_orchestrator.brokers.budget import BudgetConfig

TOLERANCE = 1.0
"""A request: the budget counts in nanoseconds and may round."""


class Meter:
    """One bucket a node, each request of weight 1: never below empty, and silent in a ban that it was told of."""

    def __init__(self, budget: BudgetConfig) -> None:
        self._full = budget.weight_per_min * budget.burst_ratio
        self._refill_per_s = budget.weight_per_min * (budget.use_ratio - budget.burst_ratio) / 60
        self._left: dict[str, tuple[float, float]] = {}
        self._banned_until_s: dict[str, float] = {}

    def banned(self, node: str, until_s: float) -> None:
        """The venue told the node to ask nothing until then."""
        self._banned_until_s[node] = max(until_s, self._banned_until_s.get(node, 0.0))

    def count(self, node: str, now_s: float) -> str:
        """Count a request that leaves; return what is wrong with it, "" if nothing."""
        left, at_s = self._left.get(node, (self._full, now_s))
        left = min(self._full, left + (now_s - at_s) * self._refill_per_s) - 1.0
        self._left[node] = (left, now_s)
        if now_s < self._banned_until_s.get(node, 0.0) - 1e-6:
            return "asks during a ban"
        return "" if left >= -TOLERANCE else f"is {-left:.1f} requests beyond its budget"
