"""A circuit breaker: calls to what keeps failing are refused at once, until a probe comes back well."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.machine import Machine, Row

Ratio = Annotated[float, Meta(gt=0, le=1)]
BUCKETS = 10


class CircuitOpen(Transient):
    """The call was not made: the last ones failed. Facts: circuit, state."""

    code = "circuit.open"


class Circuit(Enum):
    """Where a circuit stands. FORCED_OPEN is an operator's word, which only an operator takes back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"


class On(Enum):
    """What moves a circuit."""

    TOO_MANY_BAD = "too many bad calls"
    WAITED = "waited long enough"
    PROBES_WELL = "probes well"
    PROBE_BAD = "a probe failed"
    PROBE_LATE = "a probe did not answer in time"
    OPENED_BY_OPERATOR = "opened by an operator"
    CLOSED_BY_OPERATOR = "closed by an operator"


CIRCUIT: Machine[Circuit, On] = Machine(
    name="circuit",
    start=Circuit.CLOSED,
    rows=(
        Row(Circuit.CLOSED, On.TOO_MANY_BAD, Circuit.OPEN),
        Row(Circuit.OPEN, On.WAITED, Circuit.HALF_OPEN),
        Row(Circuit.HALF_OPEN, On.PROBES_WELL, Circuit.CLOSED),
        Row(Circuit.HALF_OPEN, On.PROBE_BAD, Circuit.OPEN, "and the wait doubles"),
        Row(Circuit.HALF_OPEN, On.PROBE_LATE, Circuit.OPEN, "a probe that hangs would hold the circuit half open"),
        *(Row(at, On.OPENED_BY_OPERATOR, Circuit.FORCED_OPEN) for at in Circuit),
        *(Row(at, On.CLOSED_BY_OPERATOR, Circuit.CLOSED) for at in Circuit),
    ),
)


class CircuitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a circuit opens and how it closes again.

    window_calls: the last calls that are judged; 0 judges by time alone.
    window_s: how long a call is remembered; 0 judges by count alone.
    min_calls: fewer calls prove nothing, however bad.
    failure_ratio: this share of failed calls opens the circuit.
    slow_call_s: a call that took longer is slow, and so is a dependency that will soon not answer at all.
    slow_ratio: this share of slow calls opens it; 1 needs every call to be slow.
    open_s: the first wait before a probe; doubles with each failed probe up to `open_max_s`.
    probes: calls let through while half open; all of them must be well.
    probe_s: a probe without an answer by then has failed.
    """

    window_calls: Annotated[int, Meta(ge=0, le=10_000)] = 50
    window_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    min_calls: Annotated[int, Meta(ge=1)] = 5
    failure_ratio: Ratio = 0.5
    slow_call_s: Annotated[float, Meta(gt=0)] = 5.0
    slow_ratio: Ratio = 1.0
    open_s: Annotated[float, Meta(gt=0)] = 5.0
    open_max_s: Annotated[float, Meta(gt=0)] = 60.0
    probes: Annotated[int, Meta(ge=1, le=100)] = 1
    probe_s: Annotated[float, Meta(gt=0)] = 10.0

    def __post_init__(self) -> None:
        if not self.window_calls and not self.window_s:
            raise ValueError("expected window_calls or window_s above 0, was 0 for both: nothing could be judged")
        if self.window_calls and self.min_calls > self.window_calls:
            raise ValueError(f"expected min_calls ≤ window_calls ({self.window_calls}), was {self.min_calls}")
        if self.open_s > self.open_max_s:
            raise ValueError(f"expected open_s ≤ open_max_s ({self.open_max_s:g}), was {self.open_s:g}")


@dataclass(frozen=True)
class CircuitMoved:
    """A circuit went from one state to another. `by`: the operator, when one did it."""

    circuit: str
    was: Circuit
    now: Circuit
    reason: str
    by: str = ""


@dataclass
class Tally:
    """Calls that ended: how many, how many of them failed, how many were slow."""

    calls: int = 0
    failed: int = 0
    slow: int = 0

    def add(self, other: Tally, sign: int = 1) -> None:
        self.calls += sign * other.calls
        self.failed += sign * other.failed
        self.slow += sign * other.slow


class Window:
    """The tally of the last calls, by count and by age; ages are exact to a tenth of the window."""

    def __init__(self, config: CircuitConfig) -> None:
        self.sum = Tally()
        self._max_calls = config.window_calls
        self._max_age_ns = int(config.window_s * 1e9)
        self._bucket_ns = 1 if self._max_calls else max(1, self._max_age_ns // BUCKETS)
        self._parts: deque[tuple[int, Tally]] = deque()

    def add(self, at_ns: int, tally: Tally) -> None:
        if self._parts and not self._max_calls and at_ns - self._parts[-1][0] < self._bucket_ns:
            self._parts[-1][1].add(tally)
        else:
            self._parts.append((at_ns, tally))
        self.sum.add(tally)
        self.forget(at_ns)

    def forget(self, now_ns: int) -> None:
        parts = self._parts
        while parts and (
            (self._max_calls and len(parts) > self._max_calls)
            or (self._max_age_ns and now_ns - parts[0][0] > self._max_age_ns)
        ):
            self.sum.add(parts.popleft()[1], -1)

    def clear(self) -> None:
        self._parts.clear()
        self.sum = Tally()


def counts_as_failure(error: BaseException) -> bool:
    """Return whether an error speaks against the dependency: a refusal is an answer, and an answer is health."""
    return isinstance(error, Exception) and not isinstance(error, Refused)


class CircuitBreaker:
    """Guards one dependency. Use from one event loop.

    >>> async with breaker.call():
    ...     await client.get(url)

    Args:
        is_failure: which errors count against the dependency; a cancelled call counts for nothing.
        tell: hears of every move, before the next call is decided.
    """

    def __init__(
        self,
        name: str,
        config: CircuitConfig,
        clock: Clock,
        *,
        is_failure: Callable[[BaseException], bool] = counts_as_failure,
        tell: Callable[[CircuitMoved], None] = lambda moved: None,
    ) -> None:
        self.name = name
        self.config = config
        self.is_failure = is_failure
        self.refused_total = 0
        self.clock = clock
        self._tell = tell
        self._window = Window(config)
        self._state = CIRCUIT.start
        self._turn = 0  # rises with every move, so that a call knows whether its end still matters
        self._since_ns = clock.monotonic_ns()
        self._wait_s = config.open_s
        self._probes_out = 0
        self._probes_well = 0
        self._probing_since_ns = 0

    @property
    def state(self) -> Circuit:
        """Return where the circuit stands now; waiting is over as soon as its time has passed."""
        self._look()
        return self._state

    @property
    def tally(self) -> Tally:
        """Return the calls of the present window."""
        self._window.forget(self.clock.monotonic_ns())
        return self._window.sum

    @property
    def retry_after_s(self) -> float:
        """Return how long to wait before a call may be let through; 0 when one may now."""
        if self.state is Circuit.OPEN:
            return max(0.0, self._wait_s - self._since_s(self._since_ns))
        if self._state is Circuit.HALF_OPEN and self._probes_out >= self.config.probes:
            return max(0.0, self.config.probe_s - self._since_s(self._probing_since_ns))
        return self.config.open_max_s if self._state is Circuit.FORCED_OPEN else 0.0

    def told_to(self, tell: Callable[[CircuitMoved], None]) -> None:
        """Tell `tell` of every move from now on, and nobody else."""
        self._tell = tell

    def call(self) -> GuardedCall:
        """Return a context for one call.

        Raises, on entering:
            CircuitOpen: the call must not be made; `retry_after_s` says when to come again.
        """
        return GuardedCall(self)

    def open(self, *, by: str, reason: str) -> None:
        """Refuse every call until `close`."""
        self._move(On.OPENED_BY_OPERATOR, reason, by)

    def close(self, *, by: str, reason: str) -> None:
        """Let calls through again and forget the bad ones."""
        self._move(On.CLOSED_BY_OPERATOR, reason, by)

    def admit(self) -> int:
        """Return the turn the call belongs to; hand it back with `ended`."""
        self._look()
        if self._state is Circuit.CLOSED:
            return self._turn
        if self._state is Circuit.HALF_OPEN and self._probes_out < self.config.probes:
            if not self._probes_out:
                self._probing_since_ns = self.clock.monotonic_ns()
            self._probes_out += 1
            return self._turn
        self.refused_total += 1
        raise CircuitOpen(
            f"not asked: the circuit of {self.name} is {self._state.value.replace('_', ' ')}",
            retry_after_s=self.retry_after_s,
            circuit=self.name,
            state=self._state.value,
        )

    def ended(self, turn: int, took_s: float, *, failed: bool | None) -> None:
        """Count one call that ended; `failed` None: it was cancelled, and says nothing."""
        self._look()
        if turn != self._turn:
            return  # the circuit moved meanwhile: this call belongs to a time that is judged already
        if self._state is Circuit.HALF_OPEN:
            self._probe_ended(took_s, failed)
        elif failed is not None:
            slow = took_s > self.config.slow_call_s
            self._window.add(self.clock.monotonic_ns(), Tally(1, int(failed), int(slow)))
            self._judge()

    def _probe_ended(self, took_s: float, failed: bool | None) -> None:
        if failed is None:
            self._probes_out -= 1
        elif failed or took_s > self.config.slow_call_s:
            self._move(On.PROBE_BAD, "the probe failed" if failed else f"the probe took {took_s:.1f} s")
        else:
            self._probes_well += 1
            if self._probes_well >= self.config.probes:
                self._move(On.PROBES_WELL, f"{self._probes_well} probes came back well")

    def _judge(self) -> None:
        seen, config = self._window.sum, self.config
        if seen.calls < config.min_calls:
            return
        if seen.failed >= config.failure_ratio * seen.calls:
            self._move(On.TOO_MANY_BAD, f"{seen.failed} of the last {seen.calls} calls failed")
        elif seen.slow >= config.slow_ratio * seen.calls:
            self._move(
                On.TOO_MANY_BAD, f"{seen.slow} of the last {seen.calls} calls took over {config.slow_call_s:g} s"
            )

    def _look(self) -> None:
        """Make the moves that only time makes."""
        if self._state is Circuit.OPEN and self._since_s(self._since_ns) >= self._wait_s:
            self._move(On.WAITED, f"waited {self._wait_s:g} s")
        elif self._probes_out and self._since_s(self._probing_since_ns) >= self.config.probe_s:
            self._move(On.PROBE_LATE, f"a probe did not answer within {self.config.probe_s:g} s")

    def _since_s(self, at_ns: int) -> float:
        return (self.clock.monotonic_ns() - at_ns) / 1e9

    def _move(self, on: On, reason: str, by: str = "") -> None:
        was, self._state = self._state, CIRCUIT.step(self._state, on)
        self._turn += 1
        self._since_ns = self.clock.monotonic_ns()
        self._probes_out = self._probes_well = 0
        if on in (On.PROBE_BAD, On.PROBE_LATE):
            self._wait_s = min(self._wait_s * 2, self.config.open_max_s)
        elif self._state is Circuit.CLOSED:
            self._wait_s = self.config.open_s
            self._window.clear()
        if was is not self._state:
            self._tell(CircuitMoved(self.name, was, self._state, reason, by))


class GuardedCall:
    """One call through a breaker, as `async with` or `with`; enter it once."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._turn = -1
        self._began_ns = 0

    def __enter__(self) -> Self:
        self._turn = self._breaker.admit()
        self._began_ns = self._breaker.clock.monotonic_ns()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        failed: bool | None = False
        if error is not None:
            failed = self._breaker.is_failure(error) if isinstance(error, Exception) else None
        took_s = (self._breaker.clock.monotonic_ns() - self._began_ns) / 1e9
        self._breaker.ended(self._turn, took_s, failed=failed)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
