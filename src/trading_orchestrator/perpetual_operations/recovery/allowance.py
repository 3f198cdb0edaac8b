"""How often a rung may still be used for a part: its budget and its cooldown."""

from __future__ import annotations

from collections import defaultdict, deque

from trading_orchestrator.perpetual_operations.recovery.ladder import Step


class Allowance:
    """Remembers when each rung ran for each part. Memory: at most `budget` times a rung and part."""

    def __init__(self) -> None:
        self._ran_ns: dict[tuple[str, str], deque[int]] = defaultdict(deque)

    def refusal(self, part: str, step: Step, now_ns: int) -> str:
        """Return why the rung must be skipped now; "" when it may be used."""
        ran = self._ran_ns[part, step.action]
        while ran and now_ns - ran[0] > step.budget_s * 1e9:
            ran.popleft()
        if len(ran) >= step.budget:
            return f"used {len(ran)} times within {step.budget_s:g} s, which is its budget"
        if ran and now_ns - ran[-1] < step.cooldown_s * 1e9:
            return f"used {(now_ns - ran[-1]) / 1e9:.0f} s ago, and cools down for {step.cooldown_s:g} s"
        return ""

    def use(self, part: str, step: Step, now_ns: int) -> None:
        self._ran_ns[part, step.action].append(now_ns)
