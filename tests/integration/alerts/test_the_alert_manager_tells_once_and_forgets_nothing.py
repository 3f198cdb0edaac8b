"""AlertManager over a real journal: durable before it answers, and a death anywhere neither loses nor doubles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts import record
from trading_orchestrator.perpetual_operations.alerts.alert import AlertRefused, Posted
from trading_orchestrator.perpetual_operations.alerts.alert_manager import (
    AlertManager,
    AlertManagerStopped,
    ChannelMissing,
)
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.delivery import Way
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.rows import OUTBOX, SENT, SNAPSHOT, SNAPSHOT_KEY
from trading_orchestrator.perpetual_operations.alerts.silence import Silence, SilenceRefused
from trading_orchestrator.storage.ports import FactStore, Fence, StaleEpoch
from trading_orchestrator.storage.sqlite import open_store

pytestmark = pytest.mark.integration
POLICY = policy_of(
    AlertingConfig(
        route=RouteConfig(receiver="r", group_by=("alertname",), group_wait=1, group_interval=2, repeat_interval=600),
        receivers={"r": ReceiverConfig()},
    )
)
DOWN = Posted(labels={"alertname": "Down", "host": "a"})


@dataclass
class Mailbox:
    """A channel that keeps what it gets; `failures` are raised first, `hangs` never answers."""

    letters: list[Letter] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    hangs: bool = False

    async def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        return "200"

    async def close(self) -> None:
        return

    def told(self) -> list[str]:
        return [letter.message.status for letter in self.letters]


@dataclass
class Place:
    """A journal, its clock and its lease; managers live and die on it."""

    store: FactStore
    clock: VirtualClock
    fence: Fence
    mailbox: Mailbox = field(default_factory=Mailbox)

    @asynccontextmanager
    async def manager(self) -> AsyncIterator[AlertManager]:
        """A running manager, cancelled at the end as a death would be: nothing is said good-bye to."""
        one = AlertManager(self.store, self.clock, POLICY, node="n", fence=self.fence, channels={"r": self.mailbox})
        running = asyncio.ensure_future(one.run())
        await self.clock.advance(0.001)
        try:
            yield one
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps, as real time does: a try and its report take several turns of the loop."""
        for _ in range(round(seconds / 0.1)):
            await self.clock.advance(0.1)

    async def do(self, deed: object) -> None:
        """Await a deed while time moves on, for the manager answers in its own turn."""
        doing = asyncio.ensure_future(deed)  # type: ignore[call-overload]
        await self.clock.advance(0.001)
        await doing


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    lease = await store.claim_lease("operations", holder="n", ttl_s=3.0)
    yield Place(store, clock, Fence("operations", lease.epoch))
    await store.close()


async def test_an_alert_is_told_once_and_its_end_follows(place: Place) -> None:
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(10)
        assert ["firing"] == place.mailbox.told()
        await place.do(manager.receive([Posted(labels=DOWN.labels, ends_at_ns=place.clock.wall_ns())]))
        await place.pass_time(3)

    assert ["firing", "resolved"] == place.mailbox.told()
    assert [] == list(await place.store.rows(OUTBOX))
    assert 2 == len(await place.store.rows(SENT))


async def test_a_death_before_the_answer_sends_again_under_the_same_key(place: Place) -> None:
    place.mailbox.hangs = True
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(1.5)
    place.mailbox.hangs = False
    async with place.manager():
        await place.pass_time(5)

    assert 2 == len(place.mailbox.letters)
    assert 1 == len({letter.idempotency_key for letter in place.mailbox.letters})


async def test_a_death_before_group_wait_is_over_loses_nothing(place: Place) -> None:
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
    async with place.manager():
        await place.pass_time(5)

    assert ["firing"] == place.mailbox.told()


async def test_what_was_told_is_not_told_again_after_a_death(place: Place) -> None:
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(2)
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(10)

    assert ["firing"] == place.mailbox.told()


async def test_a_failed_try_is_repeated_when_the_receiver_wants_it(place: Place) -> None:
    place.mailbox.failures = [Transient("busy", retry_after_s=4.0), RuntimeError("a channel's own bug")]
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(2)
        assert 1 == len(place.mailbox.letters)
        assert "degraded" == manager.health().state.value
        await place.pass_time(8)
        assert "healthy" == manager.health().state.value

    assert 3 == len(place.mailbox.letters)
    assert 1 == len({letter.idempotency_key for letter in place.mailbox.letters})


async def test_a_refused_message_is_made_anew_at_the_next_flush(place: Place) -> None:
    place.mailbox.failures = [Refused("no such thing")]
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(3.5)

    assert 2 == len({letter.idempotency_key for letter in place.mailbox.letters})


async def test_a_silence_is_durable_and_can_be_ended(place: Place) -> None:
    now_ns = place.clock.wall_ns()
    silence = Silence(silence_id="s", matchers=("host=a",), starts_at_ns=now_ns, ends_at_ns=now_ns + 10**12,
                      created_by="bob", comment="works on it")  # fmt: skip
    async with place.manager() as manager:
        await place.do(manager.set_silence(silence))
    async with place.manager() as manager:
        await place.do(manager.receive([DOWN]))
        await place.pass_time(5)
        assert [] == place.mailbox.told()
        await place.do(manager.expire_silence("s"))
        await place.pass_time(3)
        with pytest.raises(SilenceRefused):
            await place.do(manager.expire_silence("other"))

    assert ["firing"] == place.mailbox.told()


async def test_whoever_has_lost_the_lease_neither_answers_nor_sends(place: Place) -> None:
    async with place.manager() as manager:
        await place.store.release_lease("operations", holder="n", epoch=place.fence.epoch)
        await place.store.claim_lease("operations", holder="other", ttl_s=3.0)
        with pytest.raises(StaleEpoch):
            await place.do(manager.receive([DOWN]))
        with pytest.raises(AlertManagerStopped):
            await manager.receive([DOWN])
        await place.pass_time(5)

    assert [] == place.mailbox.letters


async def test_a_bad_alert_fails_its_sender_and_nobody_else(place: Place) -> None:
    async with place.manager() as manager:
        with pytest.raises(AlertRefused):
            await manager.receive([DOWN, Posted(labels={})])
        await place.do(manager.receive([DOWN]))

        assert 1 == len(manager.state.alerts)


async def test_a_start_from_a_snapshot_is_the_same_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SNAPSHOT_EVERY_FACTS", 3)
    async with place.manager() as manager:
        for host in "abcd":
            await place.do(manager.receive([Posted(labels={"alertname": "Down", "host": host})]))
        await place.pass_time(2)
        before = manager.state
    assert await place.store.row(SNAPSHOT, SNAPSHOT_KEY) is not None
    async with place.manager() as manager:
        assert sorted(before.alerts) == sorted(manager.state.alerts)
        assert before.told == manager.state.told
        await place.pass_time(5)

    assert ["firing"] == place.mailbox.told()


async def test_a_receiver_without_a_channel_is_refused_at_once(place: Place) -> None:
    with pytest.raises(ChannelMissing, match="'r'"):
        AlertManager(place.store, place.clock, POLICY, node="n", fence=place.fence, channels={})


async def test_a_storm_is_one_message_that_a_journal_can_hold_and_so_is_its_end(place: Place) -> None:
    hosts = [Posted(labels={"alertname": "Down", "host": f"host-{number:05}"}) for number in range(20_000)]
    async with place.manager() as manager:
        await place.do(manager.receive(hosts))
        await place.pass_time(1.5)
    now_ns = place.clock.wall_ns()
    async with place.manager() as manager:
        await place.do(manager.receive([Posted(labels=one.labels, ends_at_ns=now_ns) for one in hosts]))
        await place.pass_time(3)

    assert ["firing", "resolved"] == place.mailbox.told()
    messages = [letter.message for letter in place.mailbox.letters]
    assert [20_000, 20_000] == [len(one.alerts) + one.unlisted for one in messages]
    assert [20_000, 20_000] == [len(one.firing) + len(one.resolved) for one in messages]


async def test_a_channel_that_is_away_for_good_keeps_no_end_from_the_one_beside_it(place: Place) -> None:
    away = Mailbox(failures=[Transient("away")] * 1_000)
    ways = [Way((Lane(name, box, LaneConfig(), place.clock),)) for name, box in (("a", place.mailbox), ("b", away))]
    manager = AlertManager(place.store, place.clock, POLICY, node="n", fence=place.fence, channels={"r": ways})
    running = asyncio.ensure_future(manager.run())
    await place.clock.advance(0.001)
    await place.do(manager.receive([DOWN]))
    await place.pass_time(15)
    await place.do(manager.receive([Posted(labels=DOWN.labels, ends_at_ns=place.clock.wall_ns())]))
    await place.pass_time(15)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert ["firing", "resolved"] == place.mailbox.told()
    assert {"firing"} == set(away.told())  # its circuit is open when the end is due
