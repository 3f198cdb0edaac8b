"""A part of operations itself: who measures, keeps and asks can stand still as well, and nobody else would say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import CRASH_LOOP, Child
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce

BEGINS_WITHIN_S = 120.0  # analytics reads days of history first
STEADY_AFTER_S = 10.0


def own_part_probe(part: Child, word_of: Callable[[Child], Health], clock: Clock) -> AtOnce:
    """Return a probe that passes on the part's own word.

    What ended is the supervisor's business, until it ended too often: then it is well only when it has run for a
    while, or each of its short lives would end the incident. A start that goes on is nobody's business: it reads
    healthy, and unhealthy when it never ends.
    """
    return AtOnce(_OwnPart(part, word_of, clock).health)


class _OwnPart:
    def __init__(self, part: Child, word_of: Callable[[Child], Health], clock: Clock) -> None:
        self._part = part
        self._word_of = word_of
        self._clock = clock
        self._begun_ns: int | None = None
        self._restarts = part.restarts
        self._restarted_ns = 0
        self._loops = False

    def health(self) -> Health:
        part, now_ns = self._part, self._clock.monotonic_ns()
        self._loops = self._loops or part.over_budget
        if part.restarts != self._restarts:
            self._restarts, self._restarted_ns = part.restarts, now_ns
        if part.why_down and not self._loops:
            return Health(HealthState.HEALTHY, part.why_down)
        health = self._word_of(part)
        up_s = (now_ns - self._restarted_ns) / 1e9
        if self._loops and health.state is HealthState.HEALTHY and up_s < STEADY_AFTER_S:
            return Health(HealthState.UNHEALTHY, f"it ended too often, and runs for {up_s:.0f} s again", CRASH_LOOP)
        return self._begins(health, now_ns)

    def _begins(self, health: Health, now_ns: int) -> Health:
        if health.state is not HealthState.STARTING:
            self._begun_ns = None
            return health
        self._begun_ns = now_ns if self._begun_ns is None else self._begun_ns
        waited_s = (now_ns - self._begun_ns) / 1e9
        if waited_s <= BEGINS_WITHIN_S:
            return replace(health, state=HealthState.HEALTHY)
        return Health(HealthState.UNHEALTHY, f"{health.reason} for {waited_s:.0f} s")
