"""Rules, acknowledgements and large groups live in the same record as the alerts, and come back after a death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts import record
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.answering import NoSuchAlert
from trading_orchestrator.perpetual_operations.alerts.attention import EPISODES, Episode, mean_times
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.rows import SNAPSHOT, SNAPSHOT_KEY
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.fact_seen import FactRule
from trading_orchestrator.perpetual_operations.alerts.rules_rider import RulesRider
from trading_orchestrator.storage.ports import FactStore, Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import open_store

pytestmark = pytest.mark.integration
POLICY = policy_of(
    AlertingConfig(
        route=RouteConfig(receiver="r", group_by=("alertname",), group_wait=1, group_interval=2, repeat_interval=600),
        receivers={"r": ReceiverConfig()},
    )
)
LABELS = {"alertname": "Down", "host": "a"}
NAME = fingerprint(LABELS)
KILLED = FactRule(name="DeskKilled", fact="desk.killed", until=("desk.kill_lifted",), severity="critical")


@dataclass
class Mailbox:
    """A channel that keeps what it gets."""

    letters: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        return "200"

    async def close(self) -> None:
        return


@dataclass
class Place:
    """A journal on which managers live and die."""

    store: FactStore
    clock: VirtualClock
    fence: Fence
    mailbox: Mailbox = field(default_factory=Mailbox)

    @asynccontextmanager
    async def manager(self) -> AsyncIterator[tuple[AlertManager, RulesRider]]:
        """A running manager with a rule about facts, cancelled at the end as a death would be."""
        rules = RulesRider(books_of(RulesConfig(watch=(KILLED,))))
        channels = {"r": self.mailbox}
        one = AlertManager(
            self.store, self.clock, POLICY, node="n", fence=self.fence, channels=channels, riders=[rules]
        )
        running = asyncio.ensure_future(one.run())
        await self.clock.advance(0.001)
        try:
            yield one, rules
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def do(self, deed: Awaitable[None]) -> None:
        """Await a deed while time moves on, for the manager answers in its own turn."""
        doing = asyncio.ensure_future(deed)
        await self.clock.advance(0.001)
        await doing

    async def see_kill(self, manager: AlertManager, rules: RulesRider, pos: int) -> None:
        """Show the rules that a desk was killed."""
        seen = rules.books.facts.see(stream="desk/a", kind="desk.killed", body=b"{}", pos=pos, now_ns=manager.now_ns())
        await self.do(manager.tell(seen.alerts, seen.facts))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    lease = await store.claim_lease("ops/alerts", holder="n", ttl_s=3.0)
    yield Place(store, clock, Fence("ops/alerts", lease.epoch))
    await store.close()


async def test_a_rule_fires_on_after_a_death_and_reads_on_where_it_stood(place: Place) -> None:
    async with place.manager() as (manager, rules):
        await place.see_kill(manager, rules, 17)
    async with place.manager() as (manager, rules):
        assert [LABELS["alertname"]] != [one.labels["alertname"] for one in manager.state.alerts.values()]
        assert {"DeskKilled": [{"alertname": "DeskKilled", "severity": "critical", "stream": "desk/a"}]} == {
            name: [known.labels for known in alive] for name, alive in rules.books.facts.alive().items()
        }
        assert 17 == rules.books.facts.pos


@pytest.mark.parametrize("every", [1, 4])
async def test_a_snapshot_holds_what_rides_along(place: Place, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    monkeypatch.setattr(record, "SNAPSHOT_EVERY_FACTS", every)
    async with place.manager() as (manager, rules):
        await place.see_kill(manager, rules, 17)
        await place.do(manager.receive([Posted(labels=LABELS)]))
        await place.do(manager.acknowledge(NAME, by="anna", note="on it"))
    assert await place.store.row(SNAPSHOT, "rules") is not None
    async with place.manager() as (manager, rules):
        assert 17 == rules.books.facts.pos
        assert rules.books.facts.alive()["DeskKilled"]
        taken = manager.attention.of(NAME, manager.now_ns())

    assert taken is not None
    assert ("anna", "on it") == (taken.by, taken.note)


async def test_a_rider_that_is_new_reads_everything(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SNAPSHOT_EVERY_FACTS", 1)
    async with place.manager() as (manager, rules):
        await place.see_kill(manager, rules, 17)
    stored = await place.store.row(SNAPSHOT, SNAPSHOT_KEY)
    assert stored is not None
    monkeypatch.setattr(RulesRider, "name", "rules_of_the_next_release")
    async with place.manager() as (manager, rules):
        assert rules.books.facts.alive()["DeskKilled"]


async def test_what_is_too_large_for_one_fact_or_row_is_kept_in_pieces(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "WHOLE_BYTES_MAX", 400)
    monkeypatch.setattr(record, "PIECE_CHARS", 150)
    hosts = [Posted(labels={**LABELS, "host": f'"ü-{number}"'}) for number in range(30)]
    async with place.manager() as (manager, _):
        await place.do(manager.receive(hosts))
        await place.clock.advance(1.5)
        before = manager.state
    assert [1, 30] == [len(place.mailbox.letters), len(place.mailbox.letters[0].message.firing)]
    async with place.manager() as (manager, _):
        assert before.alerts.keys() == manager.state.alerts.keys()
        assert before.told == manager.state.told
        monkeypatch.setattr(record, "SNAPSHOT_EVERY_FACTS", 1)
        await place.do(manager.receive([Posted(labels=LABELS)]))
    row = await place.store.row(SNAPSHOT, SNAPSHOT_KEY)
    assert row is not None
    assert b"pieces" in row.value
    async with place.manager() as (manager, _):
        assert {*before.alerts, NAME} == manager.state.alerts.keys()
        assert before.told == manager.state.told


async def test_a_large_group_is_known_whole_to_whoever_wants_all_of_it(place: Place) -> None:
    hosts = [Posted(labels={**LABELS, "host": f"h{number:03}"}) for number in range(130)]
    async with place.manager() as (manager, _):
        await place.do(manager.receive(hosts))
        for _ in range(20):
            await place.clock.advance(0.1)
        (letter,) = place.mailbox.letters
        more = letter.unlisted()

    told = {alert.labels["host"] for alert in (*letter.message.alerts, *more)}
    assert (100, 30, 130) == (len(letter.message.alerts), len(more), len(told))
    assert {"firing"} == {alert.status for alert in more}


async def test_who_took_it_and_how_long_it_lasted_is_known_afterwards(place: Place) -> None:
    async with place.manager() as (manager, _):
        await place.do(manager.receive([Posted(labels=LABELS)]))
        await place.clock.advance(20)
        await place.do(manager.acknowledge(NAME, by="anna"))
    async with place.manager() as (manager, _):
        await place.clock.advance(40)
        await place.do(manager.resolve(NAME))
        with pytest.raises(NoSuchAlert):
            await place.do(manager.acknowledge(NAME, by="ben"))
        for _ in range(60):
            await place.clock.advance(1)

    rows = await place.store.rows(EPISODES)
    episodes = [msgspec.json.decode(row.value, type=Episode) for row in rows]
    assert [("anna", LABELS)] == [(one.acknowledged_by, one.labels) for one in episodes]
    means = mean_times(episodes)
    assert (1, 1, 20, 60) == (
        means.episodes,
        means.acknowledged,
        round(means.to_acknowledge_s or 0),
        round(means.to_resolve_s or 0),
    )


async def test_nothing_is_sent_while_the_lease_may_have_run_out(place: Place) -> None:
    allowed = [False]
    channels = {"r": place.mailbox}
    one = AlertManager(
        place.store,
        place.clock,
        POLICY,
        node="n",
        fence=place.fence,
        channels=channels,
        may_act=lambda: allowed[0],
    )
    running = asyncio.ensure_future(one.run())
    await place.clock.advance(0.001)
    await place.do(one.receive([Posted(labels=LABELS)]))
    await place.clock.advance(3)
    assert [] == place.mailbox.letters
    allowed[0] = True
    await place.clock.advance(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert 1 == len(place.mailbox.letters)


@pytest.mark.parametrize("kind", ["alert.rule_changed", "alert.received", "alert.notification_failed", "alert.piece"])
@pytest.mark.parametrize("body", [{"value": None}, ["no", "struct"]])
async def test_one_fact_that_cannot_be_read_does_not_end_alerting(place: Place, kind: str, body: object) -> None:
    async with place.manager() as (manager, rules):
        await place.see_kill(manager, rules, 17)
    await place.store.append([NewFact("ops/alerts", kind, body)], node="n", fence=place.fence)
    async with place.manager() as (manager, rules):
        assert rules.books.facts.alive()["DeskKilled"]
        await place.do(manager.receive([Posted(labels=LABELS)]))
        health = manager.health()
        names = {one.labels["alertname"] for one in manager.state.alerts.values()}

    assert {"DeskKilled", "Down"} == names
    assert HealthState.DEGRADED == health.state
    assert "cannot be read" in health.reason


async def test_a_snapshot_that_cannot_be_read_is_folded_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SNAPSHOT_EVERY_FACTS", 1)
    async with place.manager() as (manager, rules):
        await place.see_kill(manager, rules, 17)
    rows = [SNAPSHOT_KEY, "rules", "attention", "history"]
    puts = [Put(SNAPSHOT, key, {"of": "a later release"} if key == SNAPSHOT_KEY else []) for key in rows]
    await place.store.append([NewFact("ops/alerts", "x.y", {})], node="n", fence=place.fence, puts=puts)
    async with place.manager() as (manager, rules):
        assert ["DeskKilled"] == [one.labels["alertname"] for one in manager.state.alerts.values()]
        assert rules.books.facts.alive()["DeskKilled"]


def test_means_of_nothing_are_none() -> None:
    means = mean_times([])

    assert (None, None) == (means.to_acknowledge_s, means.to_resolve_s)
