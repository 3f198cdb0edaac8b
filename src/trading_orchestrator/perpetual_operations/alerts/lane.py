"""A lane: one channel with what keeps it from hurting others: a time-out, a budget, a circuit breaker, a pause."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.kernel.bulkhead import Bulkhead
from trading_orchestrator.kernel.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    counts_as_failure,
)
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.budget import Budget
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel, Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.lane_figures import LaneFigures
from trading_orchestrator.storage.use_figures import UseFigures

log = logging.getLogger(__name__)
MANY_WAIT = 20
LATE_BY_S = 1.0
REFUSALS_IN_A_ROW = 3  # of one letter it may be the letter; of so many it is a revoked token or a deleted hook
CHANNEL = "channel/"
PLACES_OF_CRITICAL = 4  # for each place of the others
CRITICAL_WAIT = 1_000


class ChannelLate(Unknown):
    """No answer within the channel's time-out; it may have arrived. Facts: channel."""

    code = "alerts.channel_late"


class ChannelPaused(Transient):
    """Nothing was sent: the receiver asked for a pause that is not over. Facts: channel."""

    code = "alerts.channel_paused"


class ChannelFailed(Unknown):
    """The channel itself failed, which it must not; it may have arrived. Facts: channel, error."""

    code = "alerts.channel_failed"


class Lane:
    """One channel, guarded. Use from one event loop. `uses` is what a pool manager may adopt, `breaker` a registry.

    Args:
        meter: where it is counted; None counts for itself alone.
    """

    def __init__(
        self, name: str, channel: Channel, config: LaneConfig, clock: Clock, *, meter: Meter | None = None
    ) -> None:
        self.name = name
        self.config = config
        self.figures = LaneFigures(meter or Meter(), name)
        self._channel = channel
        self._clock = clock
        circuit = msgspec.structs.replace(
            config.circuit, probe_s=max(config.circuit.probe_s, config.timeout_s + LATE_BY_S)
        )
        self.breaker = CircuitBreaker(f"{CHANNEL}{name}", circuit, clock, is_failure=_speaks_against)
        self._budget = Budget(config.budget_per_min, config.burst, clock)
        self._turnstile = asyncio.Lock()
        self.uses = UseFigures(
            f"{CHANNEL}{name}",
            config.at_once * (1 + PLACES_OF_CRITICAL),
            clock,
            long_s=config.timeout_s + LATE_BY_S,
            circuit=lambda: self.breaker.state.value,
        )
        self._places = Bulkhead(self.breaker.name, at_once=config.at_once, waiting_max=1)  # the turnstile's
        self._places_of_critical = Bulkhead(
            f"{self.breaker.name}, critical", at_once=config.at_once * PLACES_OF_CRITICAL, waiting_max=CRITICAL_WAIT
        )
        self._paused_until_ns = 0
        self._failed_ns = 0
        self._refused: tuple[str, ...] = ()

    @property
    def is_down(self) -> bool:
        """Return whether the channel is held to be down, so that its fallback is asked at once."""
        return self.breaker.state in (Circuit.OPEN, Circuit.FORCED_OPEN)

    @property
    def budget_left(self) -> int | None:
        """Return how many messages may go at once now, or None without limit; critical ones ask for none."""
        return self._budget.left

    def health(self) -> Health:
        """Return how the channel does, in one sentence."""
        figures = self.figures
        if self.breaker.state is not Circuit.CLOSED:  # half open as well: nobody knows before a letter came through
            return Health(HealthState.UNHEALTHY, f"{self.name} is down: {figures.last_error}")
        if len(self._refused) >= REFUSALS_IN_A_ROW:
            return Health(HealthState.UNHEALTHY, f"{self.name} refuses every message: {figures.last_error}")
        if self.pause_left_s:
            return Health(HealthState.DEGRADED, f"{self.name} asks for {self.pause_left_s:.0f} s of pause")
        if figures.has_failed_last and self._failed_lately():
            return Health(HealthState.DEGRADED, f"{self.name} failed: {figures.last_error}")
        if figures.waiting > MANY_WAIT:
            return Health(HealthState.DEGRADED, f"{self.name}: {figures.waiting} messages wait for its budget")
        return Health(HealthState.HEALTHY, f"{self.name}: {figures.sent_total} sent")

    @asynccontextmanager
    async def turn(self, *, is_critical: bool) -> AsyncIterator[None]:
        """Wait until the budget has room and a place is free.

        A critical letter waits for no budget and behind none that is not critical: it has places of its own, which
        keep a storm of them from becoming a thousand processes.

        Raises:
            BulkheadFull: a thousand critical letters wait for this channel already.
        """
        async with AsyncExitStack() as place:
            if is_critical:
                with self.uses.waits():
                    await place.enter_async_context(self._places_of_critical)
                    self._budget.spend()
            else:
                await self._ordinary_turn(place)
            yield

    async def _ordinary_turn(self, place: AsyncExitStack) -> None:
        self.figures.waits(1)
        try:
            with self.uses.waits():
                async with self._turnstile:
                    while wait_s := self._budget.wait_s():
                        await self._clock.sleep(wait_s)
                    await place.enter_async_context(self._places)
                    self._budget.spend()
        finally:
            self.figures.waits(-1)

    async def carry(self, letter: Letter, *, is_critical: bool) -> str:
        """Return the receiver's answer. What is critical is tried even where the circuit is open or paused.

        Raises:
            CircuitOpen, ChannelPaused: nothing was sent.
            Transient, Unknown, Refused: as `Channel.send`.
        """
        if not is_critical and (left_s := self.pause_left_s):
            raise ChannelPaused(f"{self.name} asked for a pause", retry_after_s=left_s, channel=self.name)
        if is_critical and self.is_down:
            return await self.tried(letter)
        async with self.breaker.call():
            return await self.tried(letter)

    async def tried(self, letter: Letter) -> str:
        """Try the channel now, whatever its circuit, budget and pause say; raises as `carry`."""
        began_ns = self._clock.monotonic_ns()
        self.figures.goes(1)
        try:
            with self.uses.at_it(letter.message.notification_id):
                answer = await self._bounded(letter)
        except OrchestratorError as error:
            self._failed_ns = self._clock.monotonic_ns()
            self._heed(error, letter)
            self.figures.failed(error, self._clock.wall_ns())
            raise
        finally:
            self.figures.goes(-1)
        self._refused = ()
        self.figures.sent(answer, (self._clock.monotonic_ns() - began_ns) / 1e9, self._clock.wall_ns())
        return answer

    async def close(self) -> None:
        """Let go of every connection."""
        await self._channel.close()

    async def _bounded(self, letter: Letter) -> str:
        """Give the channel its time and no more, on our clock."""
        sending = asyncio.ensure_future(self._channel.send(letter))
        late = asyncio.ensure_future(self._clock.sleep(self.config.timeout_s))
        try:
            await asyncio.wait((sending, late), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise ChannelLate(f"no answer within {self.config.timeout_s:g} s", channel=self.name)
            return sending.result()
        except OrchestratorError:
            raise
        except Exception as error:  # noqa: BLE001 - a channel is foreign code: its failure is a try that failed
            kind = type(error).__name__
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Without its words: they may quote an address, and with it a secret.
            log.error("the channel %s failed: %s in %s, line %s", self.name, kind, where.filename, where.lineno)
            raise ChannelFailed(f"it failed by itself: {kind}", channel=self.name, error=kind) from None
        finally:
            late.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _failed_lately(self) -> bool:
        """A failure that nothing followed says little about now."""
        return self._clock.monotonic_ns() - self._failed_ns < self.config.circuit.window_s * 1e9

    def _heed(self, error: OrchestratorError, letter: Letter) -> None:
        """A receiver that names a time means all our messages, not only this one; so does who refuses several."""
        name = letter.message.notification_id
        if isinstance(error, Refused) and name not in self._refused:
            self._refused = (*self._refused[-REFUSALS_IN_A_ROW:], name)
        if isinstance(error, ReceiverBusy) and error.retry_after_s:
            self._paused_until_ns = self._clock.monotonic_ns() + round(error.retry_after_s * 1e9)

    @property
    def pause_left_s(self) -> float:
        """Return what is left of a pause that the receiver asked for."""
        return max(0.0, (self._paused_until_ns - self._clock.monotonic_ns()) / 1e9)


def _speaks_against(error: BaseException) -> bool:
    """Whoever refuses or asks for a pause is there."""
    return counts_as_failure(error) and not isinstance(error, ReceiverBusy)
