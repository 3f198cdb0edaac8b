"""Every circuit of a program, by name: shown, journaled, and open to an operator's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    CircuitConfig,
    CircuitMoved,
    counts_as_failure,
)
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.storage.ports import FactStore

METRIC = "trading_circuit_state"
WORDS_READ = 1000
LEVELS = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2, Circuit.FORCED_OPEN: 3}


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
    """Every breaker of one process, whoever made it. Use from one event loop.

    An operator's word outlives the breaker, the process and the node: one that is made anew under its name stays open
    until an operator closes it.
    """

    def __init__(self, clock: Clock, incidents: IncidentLog, meter: Meter | None = None) -> None:
        self._clock = clock
        self._incidents = incidents
        self._meter = meter or Meter()
        self._circuits: dict[str, CircuitBreaker] = {}
        self._parts: dict[str, str] = {}
        self._words: dict[str, f.CircuitChanged] = {}

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
        breaker = CircuitBreaker(name, config or CircuitConfig(), self._clock, is_failure=is_failure)
        self.adopt(breaker)
        return breaker

    def adopt(self, breaker: CircuitBreaker, *, part: str = "") -> None:
        """Keep a breaker that somebody made: from now on it is shown, journaled and open to an operator's word.

        Args:
            part: whose story a move belongs to; "" for the part of the circuit's own name.

        Raises:
            CircuitTaken: choose another name, or `forget` the one before.
        """
        name = breaker.name
        if name in self._circuits:
            raise CircuitTaken(f"a circuit named {name!r} is registered already: choose another name", name=name)
        self._circuits[name] = breaker
        self._parts[name] = part or name
        self._obey(breaker)
        breaker.told_to(self.moved)
        self._show(name, breaker.state)

    def forget(self, name: str) -> None:
        """Show a circuit no longer; unknown names are ignored."""
        if self._circuits.pop(name, None) is not None:
            del self._parts[name]
            self._meter.forget(METRIC, circuit=name)

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

    async def hear_operators(self, store: FactStore) -> None:
        """Take up what operators said on other nodes, and before this process began. Raises what the store raises."""
        for row in await store.rows(f.CIRCUITS, limit=WORDS_READ):
            said = msgspec.json.decode(row.value, type=f.CircuitChanged)
            own = self._words.get(said.circuit)
            if own is None or own.at_ns < said.at_ns:  # ours may still wait for the journal
                self._words[said.circuit] = said
                if said.circuit in self._circuits:
                    self._obey(self._circuits[said.circuit])

    def moved(self, moved: CircuitMoved) -> None:
        """Journal a move, and add it to the story of its part."""
        changed = f.CircuitChanged(
            at_ns=self._clock.wall_ns(),
            circuit=moved.circuit,
            was=moved.was.value,
            now=moved.now.value,
            reason=moved.reason,
            by=moved.by,
        )
        if moved.by:
            self._words[moved.circuit] = changed
        self._show(moved.circuit, moved.now)
        self._incidents.record(changed)
        told = f"circuit {moved.was.value} → {moved.now.value}: {moved.reason}"
        self._incidents.note(self._parts.get(moved.circuit, moved.circuit), told, by=moved.by)

    def _obey(self, breaker: CircuitBreaker) -> None:
        said = self._words.get(breaker.name)
        if said is None:
            return
        is_forced, be_forced = (state == Circuit.FORCED_OPEN.value for state in (breaker.state.value, said.now))
        if be_forced and not is_forced:
            breaker.open(by=said.by, reason=said.reason)
        elif is_forced and not be_forced:
            breaker.close(by=said.by, reason=said.reason)

    def _show(self, name: str, state: Circuit) -> None:
        self._meter.gauge(METRIC, "0 closed, 1 half open, 2 open, 3 opened by hand", circuit=name).set(LEVELS[state])


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
