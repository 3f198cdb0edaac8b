"""Alerts as a running part: rules over numbers and facts, a lease that moves, and a config that changes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from trading_orchestrator.errors import Transient
from trading_orchestrator.journal.leases import HeldLease
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManagerStopped
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.duty import StandIn
from trading_orchestrator.perpetual_operations.alerts.facts import Notified
from trading_orchestrator.perpetual_operations.alerts.history import HISTORY, SentLine
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, load_alerts
from trading_orchestrator.perpetual_operations.alerts.past import SeriesPast
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime, MonitorUnknown, Outside
from trading_orchestrator.perpetual_operations.alerts.standing import standing
from trading_orchestrator.perpetual_operations.alerts.starting import alerts_of
from trading_orchestrator.perpetual_operations.alerts.switchboard import NODE_LOG, Switchboard
from trading_orchestrator.perpetual_operations.alerts.tenure import LEASE, Tenure
from trading_orchestrator.perpetual_operations.alerts.watching import ReadPast, nothing_is_kept
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import Fence, NewFact
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

pytestmark = pytest.mark.integration
T = TypeVar("T")
PLAN = """
default_rules = false
[route]
receiver = "people"
group_by = ["alertname"]
group_wait = 0
group_interval = 1
[receivers.people]
[[rules]]
kind = "threshold"
name = "Hot"
metric = "heat"
threshold = 90
for = 2
[[rules]]
kind = "fact"
name = "Quarantined"
fact = "order.quarantined"
by = ["cl_ord_id"]
until = ["order.restated"]
severity = "critical"
"""


@dataclass
class Mailbox:
    """A channel that keeps what it gets; away, it takes nothing of it."""

    letters: list[Letter] = field(default_factory=list)
    away: bool = False
    again: list[list[str]] = field(default_factory=list)

    async def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        if self.away:
            raise Transient("away")
        return "200"

    async def tell_again(self, alerts: Sequence[Notified]) -> None:
        self.again.append([one.labels["alertname"] for one in alerts])
        if self.away:
            raise Transient("away")

    async def close(self) -> None:
        return


@dataclass
class Place:
    """A journal, what can be measured, and a config file; runtimes live and die on it."""

    folder: Path
    store: SqliteStore
    clock: VirtualClock
    mailbox: Mailbox = field(default_factory=Mailbox)
    readings: list[Reading] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    graph: dict[str, tuple[str, ...]] = field(default_factory=dict)
    past: ReadPast = nothing_is_kept

    @property
    def path(self) -> Path:
        return self.folder / "alerts.toml"

    def plan(self) -> Plan:
        return load_alerts(AlertsConfig(path=str(self.path)), source="main.toml")

    def runtime(self, node: str) -> AlertsRuntime:
        async def read() -> list[Reading]:
            return self.readings

        def board(plan: Plan) -> Switchboard:
            open_board = Switchboard({}, {}, Opening(clock=self.clock, reveal=str))
            open_board.lanes[NODE_LOG] = Lane(NODE_LOG, self.mailbox, LaneConfig(), self.clock)
            open_board.forgetful[NODE_LOG] = self.mailbox
            return open_board

        tenure = Tenure(self.store, self.clock, holder=node, boot_id=read_boot_id(), is_dead=self.dead.__contains__)
        outside = Outside(
            read=read, read_plan=self.plan, open_board=board, past=self.past, depends_on=lambda: self.graph
        )
        return AlertsRuntime(self.plan(), store=self.store, clock=self.clock, tenure=tenure, outside=outside)

    @asynccontextmanager
    async def running(self, node: str = "a", *, orderly: bool = True) -> AsyncIterator[AlertsRuntime]:
        """A runtime in a task of its own; not orderly: its process dies, so its lease is not given back."""
        one = self.runtime(node)
        task = asyncio.ensure_future(one.run())
        await self.settle(one)
        await self.pass_time(0.5)
        try:
            yield one
        finally:
            if not orderly:
                one._tenure.give_back = _die  # type: ignore[method-assign]  # a death says nothing
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settle(self, one: AlertsRuntime) -> None:
        """Return once it tells of alerts or knows who does; its config is read on a thread, in no virtual time."""
        while one._manager is None and not one.is_told_elsewhere:
            await self.clock.advance(0)
            await asyncio.sleep(0.001)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps, as real time does."""
        step_s = 0.1 if seconds < 10 else 1.0
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)

    async def do(self, deed: Awaitable[T]) -> T:
        """Await a deed while time moves on."""
        doing = asyncio.ensure_future(deed)
        while not doing.done():
            await self.clock.advance(0.05)
            await asyncio.sleep(0.001)  # a config is read on a thread, which virtual time does not move
        return await doing

    async def write(self, kind: str) -> None:
        """Write a fact of a desk."""
        lease = next((row for row in await self.store.leases() if row.name == "desk/p"), None)
        if lease is None:
            lease = await self.store.claim_lease("desk/p", holder="a", ttl_s=1e6)
        fact = NewFact("desk/p", kind, {"cl_ord_id": "o-1"})
        await self.store.append([fact], node="a", fence=Fence("desk/p", lease.epoch))

    def told(self) -> list[tuple[str, str]]:
        return [(letter.message.status, letter.message.group_labels["alertname"]) for letter in self.mailbox.letters]

    async def kinds(self, stream: str) -> list[str]:
        return [fact.kind for fact in await self.store.read(stream=stream)]


async def _die(held: HeldLease) -> None:
    await held.abandon()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    (tmp_path / "alerts.toml").write_text(PLAN)
    yield Place(tmp_path, store, clock)
    await store.close()


async def test_a_number_becomes_a_message_and_its_end_another(place: Place) -> None:
    async with place.running():
        place.readings = [("heat", {"node": "a"}, 95.0)]
        await place.pass_time(2)
        assert [] == place.told()
        await place.pass_time(2)
        assert [("firing", "Hot")] == place.told()
        place.readings = [("heat", {"node": "a"}, 20.0)]
        await place.pass_time(3)

    assert [("firing", "Hot"), ("resolved", "Hot")] == place.told()


async def test_a_series_that_is_gone_ends_its_alert(place: Place) -> None:
    async with place.running():
        place.readings = [("heat", {"node": "a"}, 95.0)]
        await place.pass_time(4)
        place.readings = []
        await place.pass_time(301)  # soon after a start, a series that is not seen may only not be seen yet

    assert [("firing", "Hot"), ("resolved", "Hot")] == place.told()


FORGETS = """
[receivers.people]
channels = ["log"]
[receivers.others]
[channels.log]
kind = "log"
"""


async def test_what_still_fires_is_told_again_each_minute_to_who_forgets_whoever_holds_it(place: Place) -> None:
    place.path.write_text(PLAN.replace("[receivers.people]", FORGETS))
    place.readings = [("heat", {"node": "a"}, 95.0)]
    async with place.running("a"):
        await place.pass_time(65)
        assert [["Hot"]] == place.mailbox.again
        place.mailbox.away = True
        await place.pass_time(60)
    place.mailbox.away = False
    async with place.running("b"):
        await place.pass_time(65)
        assert [["Hot"]] * 3 == place.mailbox.again
        place.readings = [("heat", {"node": "a"}, 20.0)]
        await place.pass_time(120)

    assert [["Hot"]] * 3 == place.mailbox.again
    assert [("firing", "Hot"), ("resolved", "Hot")] == place.told()


async def test_a_fact_is_told_and_another_ends_it(place: Place) -> None:
    async with place.running():
        await place.write("order.quarantined")
        await place.pass_time(1)
        assert [("firing", "Quarantined")] == place.told()
        assert {"cl_ord_id": "o-1", "severity": "critical", "alertname": "Quarantined"} == (
            place.mailbox.letters[0].message.alerts[0].labels
        )
        await place.write("order.restated")
        await place.pass_time(3)

    assert [("firing", "Quarantined"), ("resolved", "Quarantined")] == place.told()


async def test_a_fact_written_while_nobody_watched_is_told_by_the_next(place: Place) -> None:
    async with place.running():
        await place.pass_time(1)
    await place.write("order.quarantined")
    async with place.running("b"):
        await place.pass_time(1)

    assert [("firing", "Quarantined")] == place.told()


async def test_what_happened_before_the_first_start_is_somebodys_past(place: Place) -> None:
    await place.write("order.quarantined")
    async with place.running():
        await place.pass_time(3)

    assert [] == place.told()


async def test_a_successor_takes_over_what_fires_and_tells_only_its_end(place: Place) -> None:
    place.readings = [("heat", {"node": "a"}, 95.0)]
    async with place.running("a") as first:
        await place.pass_time(3)
        async with place.running("b") as second:
            assert (HealthState.HEALTHY, "a tells of alerts") == (second.health().state, second.health().reason)
            with pytest.raises(AlertManagerStopped, match="a holds the lease"):
                _ = second.manager
            assert first.manager.state.alerts
    async with place.running("b") as second:
        await place.pass_time(3)
        assert [("firing", "Hot")] == place.told()
        place.readings = []
        await place.pass_time(301)

    assert [("firing", "Hot"), ("resolved", "Hot")] == place.told()
    assert ["lease.claimed", "lease.released"] == (await place.kinds("cluster"))[:2]


@pytest.mark.parametrize(("proved", "waited_s"), [(True, 0.5), (False, 3.5)])
async def test_a_death_is_waited_out_only_without_proof(place: Place, proved: bool, waited_s: float) -> None:
    async with place.running("a", orderly=False):
        await place.pass_time(1)
    if proved:
        place.dead.add("a")
    async with place.running("b") as second:
        assert proved is (second.health().reason.startswith("alerts: 0"))
        await place.pass_time(waited_s)
        await place.settle(second)
        assert second.manager.state is not None

    rows = {row.name: row for row in await place.store.leases()}
    assert 2 == rows[LEASE].epoch


async def test_a_wrong_reload_changes_nothing_and_says_why(place: Place) -> None:
    async with place.running() as one:
        before = one.manager
        place.path.write_text(PLAN.replace('receiver = "people"', 'receiver = "nobody"'))
        with pytest.raises(ConfigRefused, match=r"line 4: route\.receiver: nothing under \[receivers\]"):
            await place.do(one.reload("anna"))
        assert before is one.manager
        place.readings = [("heat", {}, 95.0)]
        await place.pass_time(4)

    assert [("firing", "Hot")] == place.told()
    assert ["config.alerts_changed", "config.alerts_refused"] == await place.kinds("config")


async def test_a_good_reload_takes_over_with_everything_that_fires(place: Place) -> None:
    place.readings = [("heat", {}, 95.0)]
    async with place.running() as one:
        await place.pass_time(4)
        place.path.write_text(PLAN.replace("threshold = 90", "threshold = 99").replace('"Quarantined"', '"Held"'))
        await place.do(one.reload("anna"))
        assert {"Hot", "Held"} == {rule.name for rule in one.plan.rules}
        await place.pass_time(3)

    assert [("firing", "Hot"), ("resolved", "Hot")] == place.told()
    assert ["config.alerts_changed", "config.alerts_changed"] == await place.kinds("config")


async def test_whoever_stood_by_during_a_reload_takes_over_the_reloaded_config(place: Place) -> None:
    standby = place.runtime("b")
    async with place.running("a") as one:
        place.path.write_text(PLAN.replace('name = "Hot"', 'name = "Warm"') + BEATS)
        await place.do(one.reload("anna"))
        await place.do(one.beat("backup"))
    task = asyncio.ensure_future(standby.run())
    await place.settle(standby)
    await place.pass_time(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert ["Warm", "Quarantined", "BackupSilent"] == [rule.name for rule in standby.plan.rules]
    assert ["config.alerts_changed", "config.alerts_changed"] == await place.kinds("config")
    assert "heartbeat.forgotten" not in await place.kinds("ops/alerts")


async def test_whoever_stood_by_during_a_reload_finds_a_broken_file_and_takes_the_reloaded_config(place: Place) -> None:
    nodes = Nodes(place)
    place.path.write_text(PLAN)
    first, standby = nodes.node(), nodes.node()
    await nodes.lived(first, nodes.kept.exists)
    place.path.write_text(PLAN.replace('name = "Hot"', 'name = "Warm"'))
    await place.do(first.reload("anna"))
    place.path.write_text("route = 7")
    await nodes.lived(standby, lambda: standby._manager is not None)

    assert ["Warm", "Quarantined"] == [rule.name for rule in standby.plan.rules]
    assert ["config.alerts_changed", "config.alerts_changed", "config.alerts_refused"] == await place.kinds("config")


async def test_a_reload_is_refused_where_nobody_would_follow_it(place: Place) -> None:
    async with place.running("a"), place.running("b") as standby:
        with pytest.raises(AlertManagerStopped, match="a holds the lease"):
            await place.do(standby.reload("anna"))

    assert ["config.alerts_changed"] == await place.kinds("config")


async def test_the_same_config_is_no_change(place: Place) -> None:
    async with place.running("a"):
        await place.pass_time(0.5)
    async with place.running("b"):
        await place.pass_time(0.5)

    assert ["config.alerts_changed"] == await place.kinds("config")


LADDER = """
[receivers.people]
escalation = "first"
[escalations.first]
steps = [{ delay_s = 10, targets = ["anna"] }, { delay_s = 10, targets = ["schedule:nights"] }]
[users.anna]
contacts = [{ channel = "log" }, { channel = "log", delay_s = 5 }]
[users.ben]
contacts = [{ channel = "log" }]
[schedules.nights]
rotations = [{ people = ["ben"], start = "2020-01-01T00:00" }]
"""


def called(place: Place) -> list[str]:
    return [letter.message.receiver for letter in place.mailbox.letters if "/" in letter.message.receiver]


async def test_a_ladder_calls_people_until_somebody_takes_it(place: Place) -> None:
    place.path.write_text(PLAN.replace("[receivers.people]", LADDER))
    place.readings = [("heat", {}, 95.0)]
    async with place.running():
        await place.pass_time(3)
        assert ["anna/log"] == called(place)
        assert ["Hot"] == [one.labels["alertname"] for one in place.mailbox.letters[-1].message.alerts]
    async with place.running("b") as one:
        await place.pass_time(6)
        assert ["anna/log", "anna/log"] == called(place)
        await place.pass_time(6)
        assert ["anna/log", "anna/log", "ben/log"] == called(place)
        await place.do(one.manager.acknowledge(next(iter(one.manager.state.alerts)), by="ben"))
        await place.pass_time(60)
        assert 3 == len(called(place))
        place.readings = [("heat", {}, 20.0)]
        await place.pass_time(3)
        assert one.manager.calls is not None
        assert {} == one.manager.calls.escalator.state.open

    kinds = await place.kinds("ops/alerts")
    assert (3, 3) == (kinds.count("escalation.contact_due"), kinds.count("call.delivered"))


async def test_a_successor_keeps_what_people_answered_held_and_swapped(place: Place) -> None:
    place.path.write_text(PLAN.replace("[receivers.people]", LADDER))
    place.readings = [("heat", {}, 95.0)]
    async with place.running("a") as one:
        await place.pass_time(3)
        (name,) = one.manager.state.alerts
        await place.do(one.manager.snooze(name, by="ben", for_s=30, note="later"))
        await place.do(one.manager.duty.begin_maintenance(for_s=60, by="ben", reason="new disks"))
        wanted = StandIn(override_id="o", schedule="nights", person="anna", instead_of="ben", by="ben", for_s=3600)
        await place.do(one.manager.duty.stand_in(wanted))
    async with place.running("b") as two:
        duty = two.manager.duty
        (shown,) = standing(two.manager)
        assert ("ben", "later") == (shown.snoozed and shown.snoozed.by, shown.snoozed and shown.snoozed.note)
        assert ["snoozed"] == [ladder.state for ladder in shown.ladders]
        held = duty.maintenance()
        assert ("ben", "new disks") == (held and held.by, held and held.reason)
        assert [("anna",)] == [each.now.people for each in duty.on_call()]
        await place.pass_time(40)
        assert 1 == len(called(place))  # the snooze is over, the maintenance is not
        await place.pass_time(30)
        assert 2 <= len(called(place))

    kinds = await place.kinds("ops/alerts")
    assert {"alert.snoozed", "escalation.snoozed", "escalation.paused", "schedule.override_set"} <= set(kinds)


async def test_a_call_in_retry_is_taken_back_by_whoever_answers(place: Place) -> None:
    place.path.write_text(PLAN.replace("[receivers.people]", LADDER))
    place.readings = [("heat", {}, 95.0)]
    place.mailbox.away = True
    async with place.running() as one:
        await place.pass_time(3)
        tried = len(called(place))
        (name,) = one.manager.state.alerts
        await place.do(one.manager.acknowledge(name, by="ben"))
        place.mailbox.away = False
        await place.pass_time(60)

    assert tried == len(called(place))
    lines = [msgspec.json.decode(row.value, type=SentLine) for row in await place.store.rows(HISTORY)]
    assert [("dropped", "taken by ben")] == [(one.outcome, one.answer) for one in lines if one.status == "call"]


NOBODY = LADDER.replace('start = "2020-01-01T00:00"', 'start = "2120-01-01T00:00"').replace(
    'targets = ["anna"]', 'targets = ["schedule:nights"]'
)


async def test_a_rung_on_which_nobody_stands_is_skipped_and_people_hear_so(place: Place) -> None:
    place.path.write_text(PLAN.replace("default_rules = false", "").replace("[receivers.people]", NOBODY))
    place.readings = [("heat", {}, 95.0)]
    async with place.running() as one:
        await place.pass_time(9)
        alerts = {each.alert.labels["alertname"]: each for each in standing(one.manager)}

    told = alerts["NobodyOnCall"].alert
    assert ("first", "schedule:nights") == (told.labels["policy"], told.labels["target"])
    assert "Nobody could be called for schedule:nights on rung 2 of the ladder first." == told.annotations["summary"]
    assert {"schedule:nights"} == {name for ladder in alerts["Hot"].ladders for name in ladder.nobody}
    lines = [msgspec.json.decode(row.value, type=SentLine) for row in await place.store.rows(HISTORY)]
    skipped = [line for line in lines if line.outcome == "nobody" and line.about["ladder"] == "first"]
    assert {"rung 1", "rung 2"} == {line.about["rung"] for line in skipped}
    assert {("schedule:nights", "call")} == {(line.receiver, line.status) for line in skipped}


async def test_every_message_stands_in_the_history_with_its_answer(place: Place) -> None:
    place.path.write_text(PLAN.replace("[receivers.people]", LADDER))
    place.readings = [("heat", {}, 95.0)]
    async with place.running():
        await place.pass_time(4)

    lines = [msgspec.json.decode(row.value, type=SentLine) for row in await place.store.rows(HISTORY)]
    assert {("people", "firing", "delivered", "log: 200"), ("anna by log", "call", "delivered", "log: 200")} == {
        (line.receiver, line.status, line.outcome, line.answer) for line in lines
    }
    assert all(line.ended_at_ns is not None and 1 == line.tries for line in lines)


PARTS = """
[[rules]]
kind = "health"
name = "PartDown"
severity = "critical"
causes_only = false
"""


async def test_what_a_broken_part_explains_is_not_told_beside_it(place: Place) -> None:
    grouped = PLAN.replace('group_by = ["alertname"]', 'group_by = ["alertname", "part"]')
    place.path.write_text(grouped + PARTS)
    place.graph = {"pool": ("database",), "database": ()}
    async with place.running() as one:
        place.readings = [("health_badness", {"part": "database"}, 5.0), ("health_is_cause", {"part": "database"}, 1.0)]
        await place.pass_time(2)
        place.readings += [("health_badness", {"part": "pool"}, 5.0), ("health_is_cause", {"part": "pool"}, 0.0)]
        await place.pass_time(3)
        shown = {each.alert.labels["part"]: each.state for each in standing(one.manager)}

    assert {"database": "active", "pool": "suppressed"} == shown
    assert ["database"] == [letter.message.group_labels["part"] for letter in place.mailbox.letters]


BEATS = """
[[rules]]
kind = "heartbeat"
name = "BackupSilent"
monitor = "backup"
timeout = 20
"""


async def test_a_program_that_is_silent_is_missed_until_it_is_heard(place: Place) -> None:
    place.path.write_text(PLAN + BEATS)
    async with place.running() as one:
        await place.pass_time(15)
        await place.do(one.beat("backup"))
        await place.pass_time(15)
        assert [] == place.told()
        await place.pass_time(10)
        assert [("firing", "BackupSilent")] == place.told()
        await place.do(one.beat("backup"))
        await place.pass_time(3)
        with pytest.raises(MonitorUnknown, match="did you mean `backup`"):
            await one.beat("backups")

    assert [("firing", "BackupSilent"), ("resolved", "BackupSilent")] == place.told()


async def test_a_program_that_is_missed_stays_missed_whoever_listens(place: Place) -> None:
    place.path.write_text(PLAN + BEATS)
    async with place.running("a"):
        await place.pass_time(15)
    async with place.running("b", orderly=False):
        await place.pass_time(8)
        assert [("firing", "BackupSilent")] == place.told()
    place.dead.add("b")
    async with place.running("c") as one:
        await place.pass_time(5)
        await place.do(one.reload("anna"))
        await place.pass_time(400)
        assert [("firing", "BackupSilent")] == place.told()
        await place.do(one.beat("backup"))
        await place.pass_time(3)

    assert [("firing", "BackupSilent"), ("resolved", "BackupSilent")] == place.told()


WARM = """
[[rules]]
kind = "threshold"
name = "Warm"
metric = "warmth"
function = "avg"
window = 60
threshold = 50
"""


@dataclass
class Kept:
    """A metrics history in memory: what was read of the warmth, and at what time."""

    clock: VirtualClock
    at_ns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def keep(self, value: float) -> None:
        self.at_ns.append(self.clock.wall_ns())
        self.values.append(value)

    async def past(self, windows: Mapping[str, Sequence[Measure]], now_ns: int) -> Sequence[SeriesPast]:
        known = SeriesPast(metric="warmth", labels={"node": "a"}, at_ns=list(self.at_ns), values=list(self.values))
        return [known] if self.at_ns and "warmth" in windows else []


async def test_a_reload_forgets_nothing_of_a_window(place: Place) -> None:
    place.path.write_text(PLAN + WARM)
    async with place.running() as one:
        place.readings = [("warmth", {"node": "a"}, 95.0)]
        await place.pass_time(30)
        await place.do(one.reload("anna"))
        place.readings = [("warmth", {"node": "a"}, 20.0)]
        await place.pass_time(35)
        assert [("firing", "Warm")] == place.told()
        await place.pass_time(18)

    assert [("firing", "Warm"), ("resolved", "Warm")] == place.told()


@pytest.mark.parametrize(("is_kept", "after_s"), [(True, 28), (False, 61)])
async def test_after_a_restart_a_window_is_filled_from_the_history_or_by_time(
    place: Place, is_kept: bool, after_s: int
) -> None:
    place.path.write_text(PLAN + WARM)
    kept = Kept(place.clock)
    async with place.running("a"):
        place.readings = [("warmth", {"node": "a"}, 20.0)]
        for _ in range(62):
            kept.keep(20.0)
            await place.pass_time(1)
    place.past = kept.past if is_kept else nothing_is_kept
    async with place.running("b"):
        place.readings = [("warmth", {"node": "a"}, 95.0)]
        await place.pass_time(after_s - 10)
        told = place.told()
        await place.pass_time(20)

    assert [] == told
    assert [("firing", "Warm")] == place.told()


KEPT = """
[[rules]]
kind = "fact"
name = "AlertConfigRefused"
summary = "{{ $labels.reason }}"
fact = "config.alerts_refused"
until = ["config.alerts_changed"]
"""


@dataclass
class Nodes:
    """Nodes of one program, each built from the config as it stands and from the last good one."""

    place: Place

    @property
    def kept(self) -> Path:
        return self.place.folder / "kept" / "alerts.json"

    def node(self) -> AlertsRuntime:
        return alerts_of(
            self.place.plan,
            store=self.place.store,
            clock=self.place.clock,
            node="b",
            boot_id=read_boot_id(),
            is_dead=lambda node: False,
            nodes=tuple,
            report=lambda: HealthReport(0, HealthState.HEALTHY, "", (), ()),
            last_good=self.kept,
        )

    async def lived(self, one: AlertsRuntime, until: Callable[[], bool]) -> None:
        """Let it run until that holds; fail when it does not within a hundred seconds."""
        running = asyncio.ensure_future(one.run())
        for _ in range(1000):
            if until():
                break
            await self.place.clock.advance(0.1)
            await asyncio.sleep(0.001)  # the file is written on a thread
        holds = until()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert holds, "never came what it was to live for"


def has_read(one: AlertsRuntime) -> bool:
    return one._watching is not None and one._watching._books.facts.pos > 0


def fires(one: AlertsRuntime) -> bool:
    try:
        return "AlertConfigRefused" in {each.alert.labels["alertname"] for each in standing(one.manager)}
    except AlertManagerStopped:
        return False


async def test_a_successor_that_finds_a_broken_config_takes_the_last_good_one_and_says_so(place: Place) -> None:
    nodes = Nodes(place)
    place.path.write_text(PLAN + KEPT)
    first = nodes.node()
    await nodes.lived(first, lambda: nodes.kept.exists() and has_read(first))
    place.path.write_text("route = 7")
    heir = nodes.node()
    await nodes.lived(heir, lambda: fires(heir))

    assert [rule.name for rule in first.plan.rules] == [rule.name for rule in heir.plan.rules]
    assert ["config.alerts_changed", "config.alerts_refused"] == await place.kinds("config")
    assert 0o600 == nodes.kept.stat().st_mode & 0o777
    place.path.write_text(PLAN + KEPT)
    mended = nodes.node()
    await nodes.lived(mended, lambda: mended._manager is not None and not fires(mended))
    assert "config.alerts_changed" == (await place.kinds("config"))[-1]


async def test_without_a_last_good_config_a_broken_one_starts_nothing(place: Place) -> None:
    place.path.write_text("route = 7")

    with pytest.raises(ConfigRefused, match="route"):
        Nodes(place).node()
