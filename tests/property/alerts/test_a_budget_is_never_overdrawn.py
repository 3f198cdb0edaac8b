"""However letters come, no stretch of time carries more of them than burst and rate allow; and all of them go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.budget import Budget


class Hand(VirtualClock):
    """A clock that is moved by hand, without sleepers."""

    def pass_s(self, seconds: float) -> None:
        self._boot_ns += round(seconds * 1e9)


@given(
    per_min=st.floats(0.5, 600),
    burst=st.integers(1, 20),
    gaps_s=st.lists(st.floats(0, 120), min_size=1, max_size=40),
)
def test_no_stretch_carries_more_than_burst_and_rate(per_min: float, burst: int, gaps_s: list[float]) -> None:
    clock = Hand()
    budget = Budget(per_min, burst, clock)
    went_s: list[float] = []
    for gap_s in gaps_s:
        clock.pass_s(gap_s)
        for _ in range(3):
            while wait_s := budget.wait_s():
                clock.pass_s(wait_s)
            budget.spend()
            went_s.append(clock.monotonic_ns() / 1e9)

    for first, began_s in enumerate(went_s):
        for last in range(first, len(went_s)):
            allowed = burst + (went_s[last] - began_s) * per_min / 60
            assert last - first + 1 <= allowed + 1e-6


@given(per_min=st.floats(0.5, 600), burst=st.integers(1, 20), urgent=st.integers(1, 50))
def test_what_did_not_wait_is_paid_for_by_those_after_it(per_min: float, burst: int, urgent: int) -> None:
    clock = Hand()
    budget = Budget(per_min, burst, clock)
    for _ in range(burst + urgent):
        budget.spend()

    lacking = urgent + 1
    assert abs(budget.wait_s() - lacking * 60 / per_min) < 0.002
