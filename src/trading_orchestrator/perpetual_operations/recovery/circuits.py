"""Every circuit of a program, by name: shown, journaled, and open to an operator's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.circuit_breaker import CircuitBreaker, CircuitConfig, CircuitMoved, counts_as_failure
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog


class CircuitTaken(Refused):
    """A circuit of this name is registered already. Facts: name."""

    code = "circuit.taken"


class CircuitUnknown(Refused):
    """There is no circuit of this name. Facts: name."""

    code = "circuit.unknown"


class CircuitStatus(msgspec.Struct, frozen=True):
    """One circuit as it is now."""

    name: str
    state: str
    calls: int
    failed: int
    slow: int
    refused_total: int
    retry_after_s: float


class Circuits:
    """Makes and keeps circuit breakers. Use from one event loop."""

    def __init__(self, clock: Clock, incidents: IncidentLog) -> None:
        self._clock = clock
        self._incidents = incidents
        self._circuits: dict[str, CircuitBreaker] = {}

    def add(
        self,
        name: str,
        config: CircuitConfig | None = None,
        *,
        is_failure: Callable[[BaseException], bool] = counts_as_failure,
    ) -> CircuitBreaker:
        """Return a new breaker for one dependency; name it like the part whose health it tells of.

        Raises:
            CircuitTaken: choose another name.
        """
        if name in self._circuits:
            raise CircuitTaken(f"a circuit named {name!r} is registered already: choose another name", name=name)
        breaker = CircuitBreaker(name, config or CircuitConfig(), self._clock, is_failure=is_failure, tell=self.moved)
        self._circuits[name] = breaker
        return breaker

    def forget(self, name: str) -> None:
        """Show a circuit no longer; unknown names are ignored."""
        self._circuits.pop(name, None)

    def of(self, name: str) -> CircuitBreaker:
        """Return a circuit by its name.

        Raises:
            CircuitUnknown: the sentence names those that are known.
        """
        found = self._circuits.get(name)
        if found is None:
            known = ", ".join(self._circuits) or "none"
            raise CircuitUnknown(f"no circuit is named {name!r}; known: {known}", name=name)
        return found

    def statuses(self) -> Sequence[CircuitStatus]:
        """Return every circuit as it is now."""
        return [_status(breaker) for breaker in self._circuits.values()]

    def moved(self, moved: CircuitMoved) -> None:
        """Journal a move, and add it to the story of the part it is named after."""
        self._incidents.record(
            f.CircuitChanged(
                at_ns=self._clock.wall_ns(),
                circuit=moved.circuit,
                was=moved.was.value,
                now=moved.now.value,
                reason=moved.reason,
                by=moved.by,
            )
        )
        told = f"circuit {moved.was.value} → {moved.now.value}: {moved.reason}"
        self._incidents.note(moved.circuit, told, by=moved.by)


def _status(breaker: CircuitBreaker) -> CircuitStatus:
    tally = breaker.tally
    return CircuitStatus(
        name=breaker.name,
        state=breaker.state.value,
        calls=tally.calls,
        failed=tally.failed,
        slow=tally.slow,
        refused_total=breaker.refused_total,
        retry_after_s=round(breaker.retry_after_s, 3),
    )
