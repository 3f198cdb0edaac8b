"""The dead man's switch: signs of life while the system makes progress, to the watchdog's file and to a URL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.watchdog.config import WatchdogConfig
from trading_orchestrator.watchdog.pulse import (
    PULSE_FILE,
    WATCH_FILE,
    Pulse,
    State,
    read_pulse,
    write_pulse,
)

log = logging.getLogger(__name__)
FAIL = "/fail"
REASON_LEN = 1_000
WELL = (HealthState.HEALTHY, HealthState.DEGRADED)
Progress = Callable[[], Health | None]


class DeadMansSwitch:
    """A component (kernel.component.Component). Use from one event loop; the file is written by a worker thread, for
    a disk that hangs must not stop the loop.

    Args:
        progress: how the system does, at once and without I/O; None while another process answers for it, and then
            nothing is said. HEALTHY and DEGRADED are progress.
        beat_url: the address behind `config.beat_url`, when it is configured.
    """

    name = "dead_mans_switch"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        config: WatchdogConfig,
        *,
        clock: Clock,
        data_dir: Path,
        node: str,
        boot_id: str,
        progress: Progress,
        beat_url: str | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._data_dir = data_dir
        self._node = node
        self._boot_id = boot_id
        self._progress = progress
        self._beat_url = beat_url
        self._well_boot_ns = 0
        self._next_beat_ns = 0
        self._was_well: bool | None = None
        self._trouble = ""
        self.beats_total = 0
        self.beats_failed_total = 0

    def health(self) -> Health:
        """Return whether somebody would notice our end."""
        if self._trouble:
            return Health(HealthState.DEGRADED, self._trouble)
        if self._is_watched() is False:
            return Health(HealthState.DEGRADED, "a watchdog is configured and none is running")
        return Health(HealthState.HEALTHY, f"{self.beats_total} beats sent" if self._beat_url else "leaves its pulse")

    async def run(self) -> None:
        """Leave signs until cancelled; the last one says that this was an end in order."""
        try:
            while True:
                await self._once()
                await self._clock.sleep(self._config.pulse_s)
        finally:
            if self._was_well is not None:
                self._leave(State.STOPPED, "stopped in order")

    async def _once(self) -> None:
        found = self._progress()
        if found is None:
            self._was_well = None
            return
        is_well = found.state in WELL
        if is_well:
            self._well_boot_ns = self._clock.boot_ns()
        await asyncio.to_thread(self._leave, State.WELL if is_well else State.UNWELL, found.reason)
        if self._beat_url is not None and (self._clock.boot_ns() >= self._next_beat_ns or is_well != self._was_well):
            await self._beat(self._beat_url, is_well=is_well, reason=found.reason)
        self._was_well = is_well

    def _leave(self, state: State, says: str) -> None:
        now_ns = self._clock.boot_ns()
        pulse = Pulse(
            node=self._node,
            state=state,
            says=says,
            boot_id=self._boot_id,
            at_boot_ns=now_ns,
            at_wall_ns=self._clock.wall_ns(),
            well_boot_ns=self._well_boot_ns,
        )
        try:
            write_pulse(self._data_dir / PULSE_FILE, pulse)
            self._trouble = ""
        except OSError as error:
            self._trouble = f"the pulse cannot be written: {error.strerror}"

    async def _beat(self, url: str, *, is_well: bool, reason: str) -> None:
        """A beat that fails is tried again with the next pulse."""
        # Here and not above: a process that stands by need not pay for the HTTP client.
        from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client

        address = url if is_well else f"{url.rstrip('/')}{FAIL}"
        body = b"" if is_well else reason[:REASON_LEN].encode()
        now_s = self._clock.wall_ns() / 1e9
        try:
            async with private_client(self._config.timeout_s) as client:
                await post(client, address, body=body, headers={"Content-Type": "text/plain"}, now_s=now_s)
        except OrchestratorError as error:
            self.beats_failed_total += 1
            self._trouble = f"the beat did not arrive: {error.message}"
            log.warning("dead man's switch: %s", self._trouble)
        else:
            self.beats_total += 1
            self._next_beat_ns = self._clock.boot_ns() + round(self._config.beat_s * 1e9)

    def _is_watched(self) -> bool | None:
        """Return whether the configured watchdog runs; None when none is configured."""
        if self._config.post is None and self._config.mail is None:
            return None
        sign = read_pulse(self._data_dir / WATCH_FILE)
        if sign is None or sign.boot_id != self._boot_id:
            return False
        return self._clock.boot_ns() - sign.at_boot_ns < max(self._config.silent_s, 3 * self._config.look_s) * 1e9
