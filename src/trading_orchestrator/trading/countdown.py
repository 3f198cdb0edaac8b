"""The venue's own countdown: if this host dies for good, the venue cancels what rests there."""

from __future__ import annotations

import asyncio
import logging

from trading_orchestrator.brokers.capabilities import countdown_of
from trading_orchestrator.brokers.port import Broker
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Seat

log = logging.getLogger(__name__)
REFRESHES = 4
"""Refreshes within one countdown, so that three lost ones change nothing."""
CLEAR_S = 1.0


class Countdown:
    """Kept running while the seat may act; ended by a graceful stop, after which orders rest as they are.

    A desk that loses its seat does neither: its successor refreshes the same countdown of the account.
    """

    def __init__(self, broker: Broker, seat: Seat, clock: Clock) -> None:
        self._venue = countdown_of(broker)
        self._seat = seat
        self._clock = clock

    async def keep(self) -> None:
        """Refresh for ever; returns at once where the venue offers no countdown."""
        while self._venue is not None:
            if self._seat.may_act():
                await self._ask(self._venue.countdown_s)
            await self._clock.sleep(self._venue.countdown_s / REFRESHES)

    async def clear(self) -> None:
        """End it, or give up after a second: then the venue cancels what it finds."""
        if self._venue is not None and self._seat.may_act():
            asking = asyncio.ensure_future(self._ask(0.0))
            late = asyncio.ensure_future(self._clock.sleep(CLEAR_S))
            await asyncio.wait((asking, late), return_when=asyncio.FIRST_COMPLETED)
            asking.cancel()
            late.cancel()

    async def _ask(self, seconds: float) -> None:
        assert self._venue is not None
        try:
            await self._venue.cancel_all_after(seconds)
        except OrchestratorError as error:
            log.warning("the venue's countdown was not set to %g s: %s", seconds, error.message)
