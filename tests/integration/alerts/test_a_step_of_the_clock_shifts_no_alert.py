"""The wall clock steps by an hour, either way: what senders, silences and schedules say goes by it, timers do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.delivery import Way
from trading_orchestrator.perpetual_operations.alerts.duty import StandIn
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import Contact, EscalationPolicy, Step
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import ScheduleConfig, checked_schedules
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.standing import standing
from trading_orchestrator.storage.ports import FactStore, Fence
from trading_orchestrator.storage.sqlite import open_store

pytestmark = pytest.mark.integration
S = 1_000_000_000
HOUR, STEPS = 3600 * S, [-3600 * S, 3600 * S]
NINE_NS = 1_795_424_400 * S  # Monday 2026-11-23 09:00 UTC
LABELS = {"alertname": "Down", "host": "a"}
ROUTE = {"receiver": "r", "group_by": ["host"], "group_wait": 1, "group_interval": 10, "repeat_interval": 86_400}
SHIFTS = {
    "time_zone": "UTC",
    "rotations": [
        {"people": ["early"], "start": "2026-01-01T00:00", "turns": "daily", "only": [{"times": [
            {"start_time": "06:00", "end_time": "09:30"}]}]},
        {"people": ["late"], "start": "2026-01-01T00:00", "turns": "daily", "only": [{"times": [
            {"start_time": "09:30", "end_time": "24:00"}]}]},
    ],
}  # fmt: skip


@dataclass
class Mailbox:
    letters: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        return "200"

    async def close(self) -> None:
        return

    def told(self) -> list[str]:
        return [letter.message.status for letter in self.letters]


@dataclass
class Place:
    """A journal at nine o'clock by a wall clock that is about to step."""

    store: FactStore
    clock: VirtualClock
    fence: Fence
    mail: Mailbox = field(default_factory=Mailbox)
    phones: dict[str, Mailbox] = field(default_factory=lambda: {"early": Mailbox(), "late": Mailbox()})

    @asynccontextmanager
    async def manager(self, **config: Any) -> AsyncIterator[AlertManager]:
        whole = {"route": ROUTE, "receivers": {"r": {"escalation": "l"}}, **config}
        alerting = msgspec.convert(whole, AlertingConfig)
        policy = policy_of(alerting)
        people = {name: (Contact(channel="phone"),) for name in self.phones}
        schedules = checked_schedules({"s": msgspec.convert(SHIFTS, ScheduleConfig)}, people)
        ladder = EscalationPolicy(steps=(Step(delay_s=600, targets=("schedule:s",)),))
        calls = Calls(Escalator(ladder, people, policies={"l": ladder}, schedules=schedules), alerting.receivers)
        ways = {
            f"{name}/phone": [Way((Lane("phone", phone, LaneConfig(), self.clock),))]
            for name, phone in self.phones.items()
        }
        one = AlertManager(
            self.store,
            self.clock,
            policy,
            node="n",
            fence=self.fence,
            channels={"r": self.mail},
            calls=calls,
            contacts=ways,
        )
        running = asyncio.ensure_future(one.run())
        await self.clock.advance(0.001)
        try:
            yield one
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def do(self, deed: Awaitable[Any]) -> Any:
        doing = asyncio.ensure_future(deed)
        await self.clock.advance(0.001)
        return await doing

    async def passes(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            await self.clock.advance(0.5)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    clock = VirtualClock(wall_ns=NINE_NS)
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    lease = await store.claim_lease("ops/alerts", holder="n", ttl_s=3.0)
    yield Place(store, clock, Fence("ops/alerts", lease.epoch))
    await store.close()


def lasting(place: Place, seconds: int) -> Posted:
    now_ns = place.clock.wall_ns()
    return Posted(labels=LABELS, starts_at_ns=now_ns, ends_at_ns=now_ns + seconds * S)


@pytest.mark.parametrize("step_ns", STEPS)
@pytest.mark.parametrize("restarts", [False, True])
async def test_an_alert_with_times_of_its_senders_clock_is_told_and_ends_when_it_says(
    place: Place, step_ns: int, restarts: bool
) -> None:
    async with place.manager() as manager:
        await place.do(manager.receive([Posted(labels={"alertname": "Other"}, ends_at_ns=place.clock.wall_ns())]))
        place.clock.step_wall(step_ns)
        if not restarts:
            await place.do(manager.receive([lasting(place, 240)]))
            await place.passes(300)
    if restarts:
        async with place.manager() as manager:
            await place.do(manager.receive([lasting(place, 240)]))
            (shown,) = standing(manager)
            assert 240 == round((shown.alert.ends_at_ns - place.clock.wall_ns()) / S)
            await place.passes(300)

    assert ["firing", "resolved"] == place.mail.told()
    began, ended = (letter.message for letter in place.mail.letters)
    assert 240 == round((place.clock.wall_ns() - 60 * S - began.alerts[0].starts_at_ns) / S)
    assert ended.alerts[0].ends_at_ns is not None
    assert 240 == round((ended.alerts[0].ends_at_ns - began.alerts[0].starts_at_ns) / S)


@pytest.mark.parametrize("step_ns", STEPS)
async def test_no_timer_moves_with_it(place: Place, step_ns: int) -> None:
    async with place.manager(resolve_timeout=100) as manager:
        await place.do(manager.receive([Posted(labels=LABELS)]))
        await place.passes(5)
        place.clock.step_wall(step_ns)
        await place.passes(85)
        assert ["firing"] == place.mail.told()
        await place.passes(30)

    assert ["firing", "resolved"] == place.mail.told()


@pytest.mark.parametrize("step_ns", STEPS)
async def test_a_silence_acts_and_ends_by_the_wall_clock(place: Place, step_ns: int) -> None:
    async with place.manager() as manager:
        place.clock.step_wall(step_ns)
        now_ns = place.clock.wall_ns()
        silence = Silence(
            silence_id="s",
            matchers=("host=a",),
            starts_at_ns=now_ns,
            ends_at_ns=now_ns + 60 * S,
            created_by="ann",
            comment="x",
        )
        await place.do(manager.set_silence(silence))
        await place.do(manager.receive([lasting(place, 600)]))
        await place.passes(50)
        assert [] == place.mail.told()
        await place.passes(40)

    assert ["firing"] == place.mail.told()


@pytest.mark.parametrize("step_ns", STEPS)
async def test_mute_times_go_by_the_wall_clock(place: Place, step_ns: int) -> None:
    at = (NINE_NS + step_ns) % (86_400 * S) // HOUR
    times = [{"times": [{"start_time": f"{at:02}:00", "end_time": f"{at:02}:05"}]}]
    route = {**ROUTE, "routes": [{"receiver": "r", "matchers": ["host=a"], "mute_time_intervals": ["now"]}]}
    async with place.manager(route=route, time_intervals={"now": times}) as manager:
        place.clock.step_wall(step_ns)
        await place.do(manager.receive([lasting(place, 900)]))
        await place.passes(290)
        assert [] == place.mail.told()
        await place.passes(30)

    assert ["firing"] == place.mail.told()


@pytest.mark.parametrize(("step_ns", "called"), [(HOUR, "late"), (-HOUR, "early")])
async def test_who_is_on_call_is_asked_of_the_wall_clock(place: Place, step_ns: int, called: str) -> None:
    async with place.manager() as manager:
        place.clock.step_wall(step_ns)
        await place.do(manager.receive([lasting(place, 900)]))
        await place.passes(5)
        (now,) = manager.duty.on_call()

    assert (called,) == now.now.people
    assert {called} == {name for name, phone in place.phones.items() if phone.letters}


@pytest.mark.parametrize("step_ns", STEPS)
async def test_a_stand_in_begins_and_ends_by_the_wall_clock(place: Place, step_ns: int) -> None:
    async with place.manager() as manager:
        place.clock.step_wall(step_ns)
        before = manager.duty.on_call()[0].now.people
        wanted = StandIn(override_id="o", schedule="s", by="ann", person="late", instead_of="early", for_s=60)
        override = await place.do(manager.duty.stand_in(wanted))
        assert ("late",) == manager.duty.on_call()[0].now.people
        await place.passes(70)

        assert before == manager.duty.on_call()[0].now.people
    assert 60 * S == override.ends_at_ns - override.starts_at_ns
    assert abs(override.starts_at_ns - NINE_NS - step_ns) < S
