"""A venue is away, mute, in a ban or without our key by what became of requests; a quiet account is no fault."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from trading_orchestrator.app.venue_pulse import VenuePulse, heard_broker
from trading_orchestrator.brokers.port import Broker, KeyRefused
from trading_orchestrator.brokers.simulated.broker import SimulatedBroker
from trading_orchestrator.brokers.simulated.faults import Effect, Fault, FaultScript
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.brokers.stream_watch import StreamState
from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.market.port import Instrument

WELL = (HealthState.HEALTHY, "")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def pulse(clock: VirtualClock) -> VenuePulse:
    return VenuePulse(clock)


def said(pulse: VenuePulse) -> tuple[HealthState, str]:
    health = pulse.health()
    return health.state, health.failure


async def failing(pulse: VenuePulse, clock: VirtualClock, error: OrchestratorError, seconds: int) -> None:
    for _ in range(seconds):
        pulse.failed(error)
        await clock.advance(1.0)


@pytest.mark.parametrize(
    ("error", "failure"), [(Transient("refused"), "broker.disconnected"), (Unknown("no answer"), "broker.mute")]
)
async def test_silence_counts_after_two_seconds_of_failed_requests(
    pulse: VenuePulse, clock: VirtualClock, error: OrchestratorError, failure: str
) -> None:
    await failing(pulse, clock, error, 1)
    assert WELL == said(pulse)

    await failing(pulse, clock, error, 2)
    assert (HealthState.UNHEALTHY, failure) == said(pulse)

    pulse.answered()
    assert WELL == said(pulse)


@pytest.mark.parametrize(
    ("error", "is_told"), [(Unknown("no answer within 10 s"), True), (Transient("not sent: no budget"), False)]
)
async def test_a_request_that_ran_into_its_time_out_was_silence_from_its_beginning(
    pulse: VenuePulse, clock: VirtualClock, error: OrchestratorError, is_told: bool
) -> None:
    """Of a request that waited for our own budget the wait tells nothing."""

    class Silent:
        async def balances(self) -> None:
            await clock.advance(10.0)
            raise error

    with pytest.raises(type(error)):
        await heard_broker(cast("Broker", Silent()), pulse).balances()

    assert is_told == (pulse.health().state is HealthState.UNHEALTHY)
    assert is_told == ("no answer for 10 s" in pulse.health().reason)


async def test_a_quiet_account_is_no_fault(pulse: VenuePulse, clock: VirtualClock) -> None:
    pulse.answered()
    await clock.advance(3600.0)

    assert WELL == said(pulse)


async def test_a_ban_lasts_as_long_as_the_venue_asks(pulse: VenuePulse, clock: VirtualClock) -> None:
    pulse.failed(Transient("too many requests", retry_after_s=60.0))
    assert (HealthState.UNHEALTHY, "broker.banned") == said(pulse)

    await clock.advance(59.0)
    assert "asks us to wait 1 s: too many requests" == pulse.health().reason


async def test_a_short_wait_is_no_ban(pulse: VenuePulse) -> None:
    pulse.failed(Transient("in a moment", retry_after_s=0.1))

    assert WELL == said(pulse)


async def test_a_key_that_is_refused_is_told_at_once(pulse: VenuePulse) -> None:
    pulse.failed(KeyRefused("invalid key", venue_code="-2015"))

    assert (HealthState.UNHEALTHY, "broker.key_revoked") == said(pulse)


async def test_an_answer_that_anybody_gets_does_not_prove_the_key(pulse: VenuePulse) -> None:
    pulse.failed(KeyRefused("invalid key", venue_code="-2015"))
    pulse.answered(signed=False)
    assert (HealthState.UNHEALTHY, "broker.key_revoked") == said(pulse)

    pulse.answered()
    assert WELL == said(pulse)


@pytest.mark.parametrize("error", [Transient("refused"), Unknown("no answer"), Transient("banned", retry_after_s=60.0)])
async def test_an_answer_that_anybody_gets_does_not_prove_that_ours_are_answered(
    pulse: VenuePulse, clock: VirtualClock, error: OrchestratorError
) -> None:
    await failing(pulse, clock, error, 3)
    failing_so = said(pulse)
    pulse.failed(Transient("no time either"), signed=False)
    pulse.answered(signed=False)
    assert HealthState.UNHEALTHY is failing_so[0]
    assert failing_so == said(pulse)

    pulse.answered()
    assert WELL == said(pulse)


async def test_an_answer_that_anybody_gets_ends_the_silence_of_such_questions(
    pulse: VenuePulse, clock: VirtualClock
) -> None:
    pulse.failed(Unknown("no answer"), signed=False)
    await clock.advance(3.0)
    assert (HealthState.UNHEALTHY, "broker.mute") == said(pulse)

    pulse.answered(signed=False)
    assert WELL == said(pulse)


async def test_a_mute_stream_is_shown_for_a_while_and_counted_once(pulse: VenuePulse, clock: VirtualClock) -> None:
    pulse.stream_is(StreamState(mute_total=1))
    assert (HealthState.UNHEALTHY, "broker.mute") == said(pulse)

    await clock.advance(4.5)
    pulse.stream_is(StreamState(mute_total=1))

    assert WELL == said(pulse)


@pytest.fixture
def faults() -> FaultScript:
    return FaultScript(lambda: 0.5)


@pytest.fixture
def broker(clock: VirtualClock, pulse: VenuePulse, faults: FaultScript) -> Broker:
    instrument = Instrument("EUR/USDT", "EUR", "USDT", Decimal("0.0001"), Decimal("0.1"))
    venue = SimulatedVenue([instrument], clock=clock, balances={"USDT": Decimal(1000)})
    ours = SimulatedBroker(venue, clock=clock, faults=faults, validity_s=1.0, timeout_s=0.3, latency_s=0.0)
    return heard_broker(ours, pulse)


async def test_a_request_that_fails_is_heard_and_passed_on(
    broker: Broker, pulse: VenuePulse, clock: VirtualClock, faults: FaultScript
) -> None:
    faults.add(Fault("balances", Effect.NOT_SENT, times=9))
    for _ in range(3):
        with pytest.raises(Transient):
            await broker.balances()
        await clock.advance(1.0)

    assert (HealthState.UNHEALTHY, "broker.disconnected") == said(pulse)


async def test_what_the_venue_tells_anybody_is_heard_as_such(
    broker: Broker, pulse: VenuePulse, clock: VirtualClock, faults: FaultScript
) -> None:
    faults.add(Fault("balances", Effect.NOT_SENT, times=1))
    with pytest.raises(Transient):
        await broker.balances()
    await clock.advance(3.0)
    await broker.clock_offset_s()
    assert (HealthState.UNHEALTHY, "broker.disconnected") == said(pulse)

    await broker.balances()
    faults.add(Fault("clock_offset_s", Effect.NOT_SENT, times=1))
    with pytest.raises(Transient):
        await broker.clock_offset_s()
    await clock.advance(3.0)
    assert (HealthState.UNHEALTHY, "broker.disconnected") == said(pulse)

    await broker.clock_offset_s()
    assert WELL == said(pulse)


async def test_a_no_is_an_answer(broker: Broker, pulse: VenuePulse, clock: VirtualClock, faults: FaultScript) -> None:
    pulse.failed(Transient("refused"))
    await clock.advance(5.0)
    with pytest.raises(Refused):
        await broker.order("EUR/USDT", "nobodys")

    assert WELL == said(pulse)


async def test_what_the_venue_says_of_its_clock_is_passed_on(broker: Broker, pulse: VenuePulse) -> None:
    told: list[float] = []
    pulse.on_offset(told.append)

    await broker.clock_offset_s()

    assert [0.0] == told


@pytest.mark.parametrize(
    ("down_s", "expected"), [(2.9, WELL), (3.0, (HealthState.UNHEALTHY, "broker.disconnected"))], ids=["moment", "long"]
)
def test_a_venue_that_answers_without_a_stream_is_not_well(
    pulse: VenuePulse, down_s: float, expected: tuple[HealthState, str]
) -> None:
    pulse.answered()

    pulse.stream_is(StreamState(down_s=down_s))

    assert expected == said(pulse)
