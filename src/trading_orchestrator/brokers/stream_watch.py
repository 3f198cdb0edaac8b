"""Is a silent stream quiet or mute? Probe before reconnecting: quiet markets must not flap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.clock import Clock

log = logging.getLogger(__name__)
FAILURES_UNTIL_RECONNECT = 3
"""Probes without an answer until the stream is opened anew, once until one is answered: the network may have moved."""
LONG_S = 3600.0

Probe = Callable[[], Awaitable[bool]]
"""Returns whether the venue's state is not what the stream told of. Raises as the broker port says."""


@dataclass(frozen=True)
class StreamState:
    """`mute_total`: how often the stream was found mute and opened anew. `down_s`: for how long it is not there now."""

    mute_total: int = 0
    down_s: float = 0.0


class StreamWatch:
    """Watches one stream over all its connections.

    Evidence of a mute stream is either a witness (an answer to a request shows something that the stream must have
    told by now) or a probe, sent after `quiet_s` without a frame, that finds the venue in another state than we were
    told. Either way frames get `lag_s` to arrive; any frame of the stream is a sign of life. Use within one loop.

    Args:
        name: for the log.
    """

    def __init__(self, name: str, *, quiet_s: float, lag_s: float, clock: Clock) -> None:
        self._name = name
        self._quiet_s = quiet_s
        self._lag_ns = int(lag_s * 1e9)
        self._clock = clock
        self._is_up = False
        self._lost_ns = clock.monotonic_ns()
        self._connected_ns = 0
        self._heard_ns = 0
        self._probed_ns = 0
        self._witness: tuple[int, int] | None = None
        self._failures = 0
        self._news = asyncio.Event()
        self.connections = 0
        self.frames = 0
        self.probes = 0
        self.reconnects = 0

    # -- what happens

    def connected(self) -> None:
        """The stream is (again) subscribed; what came before is not missed but gone."""
        self.connections += 1
        self._is_up = True
        self._connected_ns = self._clock.monotonic_ns()
        self._witness = None
        self._news.set()

    def lost(self) -> None:
        """The connection ended by itself."""
        self._went_down()

    def heard(self) -> None:
        """A frame of the stream arrived."""
        self.frames += 1
        self._heard_ns = self._clock.monotonic_ns()
        if not self._is_up:  # not every library says when a connection that it kept carries the stream again
            self._is_up = True
            self._news.set()
        if self._witness is not None and self._heard_ns >= self._witness[0]:
            self._witness = None

    def witnessed(self, at_ns: int) -> None:
        """Something happened at about this monotonic time that the stream has to tell of, too."""
        if self._is_up and self._witness is None and at_ns > max(self._heard_ns, self._connected_ns):
            self._witness = at_ns, self._clock.monotonic_ns() + self._lag_ns
            self._news.set()

    @property
    def state(self) -> StreamState:
        """Return how the stream is."""
        down_s = 0.0 if self._is_up else (self._clock.monotonic_ns() - self._lost_ns) / 1e9
        return StreamState(self.reconnects, down_s)

    def _went_down(self) -> None:
        if self._is_up:
            self._is_up, self._lost_ns = False, self._clock.monotonic_ns()

    # -- what follows

    async def keep(self, probe: Probe, reconnect: Callable[[str], None]) -> None:
        """Look for ever, whenever there is something to look at.

        Args:
            reconnect: drops the connection; whoever keeps the stream dials again, with a backoff of its own.
        """
        while True:
            await self._sleep_or_news()
            if not self._is_up:
                continue
            now_ns = self._clock.monotonic_ns()
            if self._witness is not None and now_ns >= self._witness[1]:
                self._give_up("it did not tell of what an answer showed", reconnect)
            elif now_ns >= self._quiet_until_ns() and (wrong := await self._look(probe)):
                self._give_up(wrong, reconnect)

    async def _look(self, probe: Probe) -> str:
        """Return what is wrong with the stream, "" when nothing is."""
        self._probed_ns = asked_ns = self._clock.monotonic_ns()
        self.probes += 1
        try:
            differs = await probe()
        except OrchestratorError as error:
            return self._after_no_answer(error)
        self._failures = 0
        if not differs:
            return ""
        await self._clock.sleep(self._lag_ns / 1e9)  # the frame may be on its way
        is_silent = max(self._heard_ns, self._connected_ns) < asked_ns
        return "it did not tell of what a probe found" if self._is_up and is_silent else ""

    def _after_no_answer(self, error: OrchestratorError) -> str:
        """A failed question is no information. Several in a row are a reason to try another connection, once."""
        log.info("%s: a probe brought no information: %s", self._name, error.message)
        if isinstance(error, Refused) or (isinstance(error, Transient) and error.retry_after_s is not None):
            return ""  # the venue said no, or it or our budget when to ask again: nothing is wrong with the way
        self._failures += 1
        has_to_move = self._failures == FAILURES_UNTIL_RECONNECT and self._is_up
        return f"{self._failures} probes in a row got no answer" if has_to_move else ""

    def _give_up(self, why: str, reconnect: Callable[[str], None]) -> None:
        self.reconnects += 1
        self._went_down()
        self._witness = None
        log.warning("%s is mute, so it is opened anew: %s", self._name, why)
        reconnect(why)

    def _quiet_until_ns(self) -> int:
        return max(self._heard_ns, self._probed_ns, self._connected_ns) + int(self._quiet_s * 1e9)

    async def _sleep_or_news(self) -> None:
        self._news.clear()
        due_ns = self._quiet_until_ns()
        if self._witness is not None:
            due_ns = min(due_ns, self._witness[1])
        wait_s = (due_ns - self._clock.monotonic_ns()) / 1e9 + 1e-6 if self._is_up else LONG_S
        sleeping = asyncio.ensure_future(self._clock.sleep(max(wait_s, 0.001)))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((sleeping, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            news.cancel()
