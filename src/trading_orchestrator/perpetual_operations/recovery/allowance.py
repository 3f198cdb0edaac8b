"""How often a rung may still be used for a part: its budget and its cooldown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from trading_orchestrator.perpetual_operations.recovery.ladder import Step


class Allowance:
    """Remembers when each rung ran for each part; the journal knows of runs before this process and beside it.

    Times are those of a clock that cannot step. Memory: the runs within the longest budget asked for.
    """

    def __init__(self) -> None:
        self._ran_ns: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)

    def refusal(self, part: str, step: Step, now_ns: int) -> str:
        """Return why the rung must be skipped now; "" when it may be used."""
        runs = self._ran_ns[part, step.action]
        kept_ns = max(step.budget_s, step.cooldown_s) * 1e9
        for at_ns in [at_ns for at_ns, ran_ns in runs.items() if now_ns - ran_ns > kept_ns]:
            del runs[at_ns]
        ages_s = [(now_ns - ran_ns) / 1e9 for ran_ns in runs.values()]
        used = sum(age_s <= step.budget_s for age_s in ages_s)
        if used >= step.budget:
            return f"used {used} times within {step.budget_s:g} s, which is its budget"
        if ages_s and min(ages_s) < step.cooldown_s:
            return f"used {min(ages_s):.0f} s ago, and cools down for {step.cooldown_s:g} s"
        return ""

    def use(self, part: str, step: Step, *, now_ns: int, at_ns: int) -> None:
        """Note a run. `at_ns`: the same moment as the journal has it (UTC)."""
        self._ran_ns[part, step.action][at_ns] = now_ns

    def recall(self, part: str, taken: Iterable[tuple[str, int]], *, now_ns: int, wall_ns: int) -> None:
        """Take in what the journal has: action and time (UTC ns) of each run; one that seems to come, just was."""
        for action, at_ns in taken:
            self._ran_ns[part, action].setdefault(at_ns, now_ns - max(0, wall_ns - at_ns))
