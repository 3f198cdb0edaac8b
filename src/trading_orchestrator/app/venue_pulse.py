"""VenuePulse: hears what became of every request to a venue, and says in a probe's words how the venue is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from trading_orchestrator.brokers.port import Broker, KeyRefused
from trading_orchestrator.brokers.stream_watch import StreamState
from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState

ASKS = frozenset(
    ("submit", "cancel", "order", "open_orders", "trades", "trades_of", "balances", "clock_offset_s", "connect")
)
CLOCK = "clock_offset_s"
UNSIGNED = frozenset((CLOCK, "connect"))
SILENT_S = 2.0
MUTE_SHOWN_S = 4.0
STREAM_DOWN_S = 3.0
"""A connection that ends by itself, as each does once a day, is there again in far less."""
BAN_S = 1.0


@dataclass(frozen=True)
class Silence:
    """Since when requests of a kind fail (monotonic), and what became of the last one."""

    since_ns: int
    error: OrchestratorError


class VenuePulse:
    """Silence is judged by failed requests alone: a quiet account asks seldom, and that is no fault. One event loop.

    Signed requests and those that a venue answers to anybody fail for themselves: what it tells anybody is no proof
    that it answers us.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._silences: dict[bool, Silence] = {}  # by whether the requests are signed
        self._banned_until_ns = 0
        self._stream = StreamState()
        self._mute_until_ns = 0
        self._told_offset: Callable[[float], None] = _nobody_asks

    def now_ns(self) -> int:
        """Return the monotonic time by which it judges."""
        return self._clock.monotonic_ns()

    def on_offset(self, told: Callable[[float], None]) -> None:
        """Call `told` with each difference of clocks that the venue tells, in seconds."""
        self._told_offset = told

    def offset(self, offset_s: float) -> None:
        """The venue told its time."""
        self._told_offset(offset_s)

    def stream_is(self, stream: StreamState) -> None:
        """How the stream of our orders is; one that was mute is shown for a few seconds after it was opened anew."""
        if stream.mute_total > self._stream.mute_total:
            self._mute_until_ns = self._clock.monotonic_ns() + int(MUTE_SHOWN_S * 1e9)
        self._stream = stream

    def answered(self, *, signed: bool = True) -> None:
        """The venue answered, be it with a no; that it answers a signed request is proof of everything."""
        self._silences.pop(False, None)
        if signed:
            self._silences.clear()
        if not self._silences:
            self._banned_until_ns = 0

    def failed(self, error: OrchestratorError, *, signed: bool = True, asked_ns: int | None = None) -> None:
        """A request got no answer, or was refused for what we are: a key is refused to who signs.

        asked_ns: when it was asked (monotonic): a venue that let a request run into its time-out was silent since.
        """
        now_ns = self._clock.monotonic_ns()
        kind = signed or isinstance(error, KeyRefused)
        began_ns = asked_ns if asked_ns is not None and isinstance(error, Unknown) else now_ns
        since_ns = self._silences[kind].since_ns if kind in self._silences else began_ns
        self._silences[kind] = Silence(since_ns, error)
        wait_s = error.retry_after_s if isinstance(error, Transient) else None
        if wait_s is not None and wait_s >= BAN_S:
            self._banned_until_ns = max(self._banned_until_ns, now_ns + int(wait_s * 1e9))

    def health(self) -> Health:
        """Return how the venue is, with the class of its failure."""
        if self._clock.monotonic_ns() < self._mute_until_ns:
            said = "the stream of our orders was mute, and is opened anew"
            return Health(HealthState.UNHEALTHY, said, "broker.mute")
        if not self._silences:
            return self._of_stream()
        error = (self._silences.get(True) or self._silences[False]).error
        if isinstance(error, KeyRefused):
            return Health(HealthState.UNHEALTHY, error.message, "broker.key_revoked")
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._banned_until_ns:
            left_s = (self._banned_until_ns - now_ns) / 1e9
            return Health(HealthState.UNHEALTHY, f"asks us to wait {left_s:.0f} s: {error.message}", "broker.banned")
        silent_s = (now_ns - min(each.since_ns for each in self._silences.values())) / 1e9
        if silent_s < SILENT_S:
            return self._of_stream(f"{silent_s:.1f} s without an answer")
        failure = "broker.mute" if isinstance(error, Unknown) else "broker.disconnected"
        return Health(HealthState.UNHEALTHY, f"no answer for {silent_s:.0f} s: {error.message}", failure)

    def _of_stream(self, else_said: str = "answers") -> Health:
        """Fills of resting orders are heard late without it: polls bring them."""
        if self._stream.down_s < STREAM_DOWN_S:
            return Health(HealthState.HEALTHY, else_said)
        said = f"the stream of our orders has been down for {self._stream.down_s:.0f} s; orders are asked for meanwhile"
        return Health(HealthState.UNHEALTHY, said, "broker.disconnected")


def _nobody_asks(offset_s: float) -> None:
    """The default for what the venue's clock tells."""


def heard_broker(broker: Broker, pulse: VenuePulse) -> Broker:
    """Return the broker; the pulse hears how each of its requests ends."""
    return cast("Broker", _HeardBroker(broker, pulse))


class _HeardBroker:
    def __init__(self, broker: Broker, pulse: VenuePulse) -> None:
        self._broker = broker
        self._pulse = pulse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._broker, name)
        return self._heard(name, found) if name in ASKS else found

    def _heard(self, name: str, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        signed = name not in UNSIGNED

        async def asked(*args: Any, **named: Any) -> Any:
            asked_ns = self._pulse.now_ns()
            try:
                answer = await ask(*args, **named)
            except KeyRefused as error:
                self._pulse.failed(error)
                raise
            except Refused:
                self._pulse.answered(signed=signed)
                raise
            except OrchestratorError as error:
                self._pulse.failed(error, signed=signed, asked_ns=asked_ns)
                raise
            self._pulse.answered(signed=signed)
            if name == CLOCK:
                self._pulse.offset(answer)
            return answer

        return asked
