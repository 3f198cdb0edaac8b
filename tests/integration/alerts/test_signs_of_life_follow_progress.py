"""The dead man's switch: a pulse and a beat while there is progress, the reason when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from tests.unit.alerts.post import settle
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.dead_mans_switch import DeadMansSwitch
from trading_orchestrator.watchdog.config import PostTo, WatchdogConfig
from trading_orchestrator.watchdog.pulse import PULSE_FILE, WATCH_FILE, Pulse, State, read_pulse, write_pulse

FINE = Health(HealthState.HEALTHY, "all well")
SICK = Health(HealthState.UNHEALTHY, "the journal cannot commit")


class Place:
    """A switch on a virtual clock; `found` is how the system does."""

    def __init__(self, folder: Path, url: str | None = None, config: WatchdogConfig | None = None) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.found: Health | None = FINE
        self.switch = DeadMansSwitch(
            config or WatchdogConfig(pulse_s=5, beat_s=60),
            clock=self.clock,
            data_dir=folder,
            node="node-1",
            boot_id="boot",
            progress=lambda: self.found,
            beat_url=url,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.switch.run())
        await self.idle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def idle(self) -> None:
        """Return once the switch sleeps: its round is over, and with it the thread that writes."""
        async with asyncio.timeout(10):
            while not self.clock._calls:
                await SystemClock().sleep(0.002)

    async def later(self, after_s: float) -> None:
        """Let the time pass, and every round that it brings."""
        for _ in range(round(after_s / 5)):
            await settle(self.clock, 5)
            await self.idle()

    def pulse(self) -> tuple[State, str, int]:
        found = read_pulse(self.folder / PULSE_FILE)
        assert found is not None
        return found.state, found.says, round((self.clock.boot_ns() - found.well_boot_ns) / 1e9)


async def heard(one: Receiver, count: int) -> None:
    async with asyncio.timeout(10):
        while len(one.bodies) < count:
            await SystemClock().sleep(0.005)


async def test_the_pulse_follows_progress_and_the_last_one_says_that_the_end_was_in_order(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with place.running():
        assert (State.WELL, "all well", 0) == place.pulse()
        place.found = SICK
        await place.later(20)
        assert (State.UNWELL, "the journal cannot commit", 20) == place.pulse()
    assert State.STOPPED == place.pulse()[0]


async def test_who_does_not_answer_for_the_system_says_nothing_even_at_the_end(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.found = None
    async with place.running():
        await place.later(20)

    assert not (tmp_path / PULSE_FILE).exists()


async def test_the_url_is_called_while_there_is_progress_and_told_at_once_when_there_is_none(tmp_path: Path) -> None:
    async with receiver(said("200 OK")) as one:
        place = Place(tmp_path, f"http://127.0.0.1:{one.port}/ping")
        async with place.running():
            await heard(one, 1)
            await place.later(30)
            assert 1 == len(one.bodies)
            place.found = SICK
            await place.later(5)
            await heard(one, 2)
            place.found = FINE
            await place.later(5)
            await heard(one, 3)

    assert ["POST /ping ", "POST /ping/fail ", "POST /ping "] == [head.split("HTTP")[0] for head in one.heads]
    assert [b"", b"the journal cannot commit", b""] == one.bodies
    assert 3 == place.switch.beats_total


async def test_a_beat_that_did_not_arrive_is_repeated_with_the_next_pulse(tmp_path: Path) -> None:
    async with receiver(said("500 Oops"), said("200 OK")) as one:
        place = Place(tmp_path, f"http://127.0.0.1:{one.port}/ping")
        async with place.running():
            await heard(one, 1)
            assert "the beat did not arrive: answered 500" == place.switch.health().reason
            await place.later(5)
            await heard(one, 2)
            assert HealthState.HEALTHY == place.switch.health().state

    assert (1, 1) == (place.switch.beats_total, place.switch.beats_failed_total)


async def test_a_disk_that_does_not_take_the_pulse_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path / "away")
    async with place.running():
        assert "the pulse cannot be written: No such file or directory" == place.switch.health().reason


@pytest.mark.parametrize(("age_s", "state"), [(None, "degraded"), (10, "healthy"), (40, "degraded")])
async def test_a_watchdog_that_is_configured_and_does_not_run_is_told(
    tmp_path: Path, age_s: int | None, state: str
) -> None:
    place = Place(tmp_path, config=WatchdogConfig(post=PostTo(url="http://127.0.0.1:1/x")))
    if age_s is not None:
        at_ns = place.clock.boot_ns() - age_s * 1_000_000_000
        sign = Pulse(
            node="watchdog",
            state=State.WELL,
            says="",
            boot_id="boot",
            at_boot_ns=at_ns,
            at_wall_ns=0,
            well_boot_ns=at_ns,
        )
        write_pulse(tmp_path / WATCH_FILE, sign)

    assert state == place.switch.health().state.value
