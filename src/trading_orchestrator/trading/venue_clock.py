"""The venue's clock against ours, kept fresh in the background so that a takeover need not wait for it."""

from __future__ import annotations

import logging

from trading_orchestrator.brokers.port import Broker
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.trading.config import DeskConfig

log = logging.getLogger(__name__)
FRESH_FOR_TURNS = 3
"""A measurement is good for this many intervals: one or two failed ones change nothing."""


class ClockOff(Transient):
    """Our clock and the venue's differ so much that requests would be refused. Facts: offset_s."""

    code = "desk.clock_off"


class VenueClock:
    """Measures and remembers. Ages are counted on the clock since boot: a suspended host must measure anew."""

    def __init__(self, broker: Broker, config: DeskConfig, clock: Clock) -> None:
        self._broker = broker
        self._every_s = config.clock_offset_every_s
        self._limit_s = config.clock_offset_limit_s
        self._clock = clock
        self._measured_ns: int | None = None
        self._offset_s = 0.0

    async def checked_offset_s(self) -> float:
        """Return venue time minus ours, measured now unless that was done lately.

        Raises:
            ClockOff: beyond the limit; let time synchronisation act and try again.
            Transient, Unknown: the venue did not tell.
        """
        age_ns = self._clock.boot_ns() - (self._measured_ns or 0)
        if self._measured_ns is None or age_ns > FRESH_FOR_TURNS * self._every_s * 1e9 or self._is_off:
            await self._measure()
        if self._is_off:
            raise ClockOff(
                f"expected the venue's clock within {self._limit_s} s of ours, was {self._offset_s:+.3f} s off",
                offset_s=self._offset_s,
            )
        return self._offset_s

    async def keep_fresh(self) -> None:
        """Measure for ever, now first."""
        while True:
            try:
                await self._measure()
            except OrchestratorError as error:
                log.info("the venue does not tell its time: %s", error.message)
            await self._clock.sleep(self._every_s)

    @property
    def _is_off(self) -> bool:
        return abs(self._offset_s) > self._limit_s

    async def _measure(self) -> None:
        self._offset_s = await self._broker.clock_offset_s()
        self._measured_ns = self._clock.boot_ns()
