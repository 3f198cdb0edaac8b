"""Two nodes in one loop, on virtual time: every lease has one holder, and the right one."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.journal.incarnation import Ending, LastWords
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.node import Node
from trading_orchestrator.keeper.succession import Heirs
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.tenancy import Seat, Succession
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import LeaseRow, StorageLocked, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

DESK, CONSOLE = "desk/paper", "console"


class RecordingTenancy:
    """A tenancy that notes what was asked of it, and refuses or fails the first starts."""

    def __init__(
        self,
        lease: str,
        refusals: int = 0,
        failures: int = 0,
        refusal: type[OrchestratorError] = Transient,
    ) -> None:
        self.lease = lease
        self.refusal = refusal
        self.failures = failures
        self.refusals = refusals
        self.held_up_by = ""
        self.calls: list[str] = []
        self.seats: list[Seat] = []

    async def warm(self) -> None:
        self.calls.append("warm")

    async def take(self, seat: Seat) -> None:
        self.calls.append("take")
        self.seats.append(seat)
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError
        if self.refusals:
            self.refusals -= 1
            raise self.refusal("the venue is not there yet")

    def held_up(self, why: str) -> None:
        self.held_up_by = why

    async def leave(self, deadline_s: float) -> None:
        self.calls.append(f"leave {deadline_s:g}")

    async def close(self) -> None:
        self.calls.append("close")


class SlowTenancy(RecordingTenancy):
    """One whose start takes a while, and is noted where others are when it is over."""

    def __init__(self, lease: str, begun: list[str], clock: VirtualClock, takes_s: float) -> None:
        super().__init__(lease)
        self._begun = begun
        self._clock = clock
        self._takes_s = takes_s

    async def take(self, seat: Seat) -> None:
        await self._clock.sleep(self._takes_s)
        await super().take(seat)
        self._begun.append(self.lease)


class ToldDeaths:
    """Deaths as the test tells them."""

    def __init__(self) -> None:
        self.born: set[str] = set()
        self.dead: set[str] = set()
        self.words: dict[str, LastWords] = {}
        self._gone: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def words_of(self, node: str) -> LastWords | None:
        return self.words.get(node)

    def tell(self, node: str) -> None:
        self.dead.add(node)
        self._gone[node].set()

    def is_dead(self, node: str) -> bool:
        return node in self.dead

    def lives(self, node: str) -> bool:
        return node in self.born and node not in self.dead

    def shoot(self, node: str) -> None:
        self.tell(node)

    async def wait_death(self, node: str) -> None:
        await self._gone[node].wait()


class Hall:
    """Nodes that share a journal, a clock and the knowledge of deaths."""

    def __init__(self, store: SqliteStore, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.deaths = ToldDeaths()
        self.ready: list[str] = []
        self.leaving: list[str] = []
        self._stops: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, *tenancies: RecordingTenancy) -> None:
        self.deaths.born.add(name)
        node = Node(
            tenancies,
            store=self.store,
            leases=LeaseKeeper(self.store, self.clock, holder=name),
            deaths=self.deaths,
            cluster=Cluster(self.store, node=name, pid=1, release="test"),
            clock=self.clock,
            boot_id=read_boot_id(),
            leave_deadline_s=3.0,
            leaving=lambda: self.leaving.append(name),
        )
        stop = self._stops[name] = asyncio.Event()

        async def ready() -> None:
            self.ready.append(name)

        self._tasks[name] = asyncio.create_task(node.run(stop, ready))

    async def stop(self, name: str) -> None:
        self._stops[name].set()
        task = self._tasks.pop(name)
        while not task.done():
            await self.clock.advance(0.05)
        await task

    async def end_of(self, name: str) -> None:
        await self._tasks.pop(name)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            await self.clock.advance(0.05)

    async def holders(self) -> dict[str, str]:
        return {row.name: row.holder for row in await self.rows() if row.expires_ns > 0}

    async def rows(self) -> list[LeaseRow]:
        return list(await self.store.leases())

    async def kinds(self) -> list[str]:
        return [fact.kind for fact in await self.store.read(stream="cluster")]


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    clock = VirtualClock()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    found = Hall(store, clock)
    yield found
    for name in list(found._stops):
        if name in found._tasks:
            await found.stop(name)
    await store.close()


async def test_the_first_node_takes_everything_desks_first(hall: Hall) -> None:
    desk, console = RecordingTenancy(DESK), RecordingTenancy(CONSOLE)
    hall.start("a", console, desk)
    await hall.pass_time(1)

    assert {DESK: "a", CONSOLE: "a"} == await hall.holders()
    assert ["a"] == hall.ready
    assert ["node.started", "lease.claimed", "lease.claimed", "node.ready"] == await hall.kinds()
    assert Succession.FIRST is desk.seats[0].succession


async def test_an_idle_node_is_given_the_console_and_the_trader_keeps_the_desk(hall: Hall) -> None:
    console_a, console_b = RecordingTenancy(CONSOLE), RecordingTenancy(CONSOLE)
    hall.start("a", RecordingTenancy(DESK), console_a)
    await hall.pass_time(1)
    hall.start("b", RecordingTenancy(DESK), console_b)
    await hall.pass_time(3)

    assert {DESK: "a", CONSOLE: "b"} == await hall.holders()
    assert ["warm", "take", "leave 3", "warm"] == console_a.calls
    assert Succession.HANDED_OVER is console_b.seats[0].succession


async def test_an_ordered_leave_hands_the_desk_over_without_waiting_for_the_ttl(hall: Hall) -> None:
    desk_a, desk_b = RecordingTenancy(DESK), RecordingTenancy(DESK)
    hall.start("a", desk_a)
    await hall.pass_time(1)
    hall.start("b", desk_b)
    await hall.pass_time(1)
    await hall.stop("a")
    await hall.pass_time(0.2)

    assert {DESK: "b"} == await hall.holders()
    assert ["warm", "take", "leave 3", "close"] == desk_a.calls
    assert (Succession.HANDED_OVER, 2) == (desk_b.seats[0].succession, desk_b.seats[0].epoch)


async def test_a_proved_death_is_taken_over_at_once_and_the_zombie_is_told_to_stop(hall: Hall) -> None:
    desk_a, desk_b = RecordingTenancy(DESK), RecordingTenancy(DESK)
    hall.start("a", desk_a)
    await hall.pass_time(1)
    hall.start("b", desk_b)
    await hall.pass_time(1)
    hall.deaths.tell("a")
    await hall.pass_time(0.1)

    assert {DESK: "b"} == await hall.holders()
    assert (Succession.PROVED_DEATH, 2) == (desk_b.seats[0].succession, desk_b.seats[0].epoch)
    await hall.pass_time(1.5)
    assert "leave 0" in desk_a.calls
    assert not desk_a.seats[0].may_act()


def words(hall: Hall, *, silent_s: float = 0.0, at_work: str = "greedy", ending: Ending | None = None) -> LastWords:
    """Return what node a's file says: when its loop turned last, who had it, and how its keeper saw it end."""
    beat_ns = hall.clock.boot_ns() - int(silent_s * 1e9)
    return LastWords("a", 1, 0, 0, "boot", beat_ns, at_work, ending)


async def heir_of_a_dead(hall: Hall, *, starts: str, ending: Ending | None = None, **last: Any) -> Seat:
    """Return the seat of the heir; its predecessor died before or after the heir began to wait."""
    heir = RecordingTenancy(DESK)
    hall.start("a", RecordingTenancy(DESK))
    await hall.pass_time(1)
    if starts == "before":
        hall.start("b", heir)
        await hall.pass_time(1)
    hall.deaths.words["a"] = words(hall, ending=ending, **last)
    hall.deaths.tell("a")
    if starts == "after":
        hall.start("b", heir)
    await hall.pass_time(0.5)
    return heir.seats[0]


@pytest.mark.parametrize(
    ("silent_s", "starts", "blamed"), [(2, "before", "greedy"), (0, "before", ""), (2, "after", "")]
)
async def test_without_a_note_only_a_hang_that_was_waited_for_is_blamed_on_a_strategy(
    hall: Hall, silent_s: int, starts: str, blamed: str
) -> None:
    seat = await heir_of_a_dead(hall, starts=starts, silent_s=silent_s)

    assert blamed == seat.hung_in


@pytest.mark.parametrize("starts", ["before", "after"])
@pytest.mark.parametrize(
    ("ending", "blamed"),
    [
        (Ending(-signal.SIGKILL, stood_still=True), "greedy"),
        (Ending(-signal.SIGSEGV), "greedy"),
        (Ending(3), "greedy"),
        (Ending(0), "greedy"),
        (Ending(-signal.SIGKILL), ""),
        (Ending(-signal.SIGTERM), ""),
    ],
)
async def test_with_a_note_a_hang_and_a_crash_are_blamed_whenever_the_heir_began(
    hall: Hall, starts: str, ending: Ending, blamed: str
) -> None:
    seat = await heir_of_a_dead(hall, starts=starts, ending=ending)

    assert blamed == seat.hung_in


async def test_a_crash_while_no_strategy_was_at_work_blames_nobody(hall: Hall) -> None:
    seat = await heir_of_a_dead(hall, starts="before", ending=Ending(-signal.SIGSEGV), at_work="")

    assert "" == seat.hung_in


async def test_a_note_that_comes_a_little_later_is_waited_for(hall: Hall) -> None:
    heir = RecordingTenancy(DESK)
    hall.start("a", RecordingTenancy(DESK))
    await hall.pass_time(1)
    hall.start("b", heir)
    await hall.pass_time(1)
    hall.deaths.words["a"] = words(hall)
    hall.deaths.tell("a")
    await hall.pass_time(0.1)
    assert [] == heir.seats
    hall.deaths.words["a"] = words(hall, ending=Ending(3))
    await hall.pass_time(0.1)

    assert "greedy" == heir.seats[0].hung_in


async def test_an_heir_that_is_told_to_leave_while_it_waits_for_the_note_keeps_no_lease(hall: Hall) -> None:
    hall.start("a", RecordingTenancy(DESK))
    await hall.pass_time(1)
    hall.start("b", RecordingTenancy(DESK))
    await hall.pass_time(1)
    hall.deaths.words["a"] = words(hall)
    hall.deaths.tell("a")
    await hall.pass_time(0.1)
    assert {DESK: "b"} == await hall.holders()
    await hall.stop("b")

    assert {} == await hall.holders()


async def test_the_survivor_gives_the_console_to_the_replacement(hall: Hall) -> None:
    hall.start("a", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(1)
    hall.start("b", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(3)
    hall.deaths.tell("a")
    await hall.stop("a")
    await hall.pass_time(0.2)
    assert {DESK: "b", CONSOLE: "b"} == await hall.holders()

    hall.start("c", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(3)
    assert {DESK: "b", CONSOLE: "c"} == await hall.holders()


@pytest.mark.parametrize(("takes_s", "first"), [(0.2, DESK), (5.0, CONSOLE)])
async def test_the_heir_begins_its_desk_before_the_console_unless_that_lasts(
    hall: Hall, takes_s: float, first: str
) -> None:
    """Both on one loop would delay the orders; a venue that does not answer keeps nobody from the page."""
    begun: list[str] = []
    hall.start("a", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(1.05)  # so that b is ready just after a looked for somebody to give the console to
    hall.start("b", SlowTenancy(DESK, begun, hall.clock, takes_s), SlowTenancy(CONSOLE, begun, hall.clock, 0.0))
    await hall.pass_time(0.05)
    hall.deaths.tell("a")
    await hall.pass_time(1)

    assert first == begun[0]
    await hall.pass_time(5)
    assert {DESK: "b", CONSOLE: "b"} == await hall.holders()


async def test_a_console_that_fails_does_not_end_the_node_that_trades(hall: Hall) -> None:
    console = RecordingTenancy(CONSOLE, failures=1)
    hall.start("a", RecordingTenancy(DESK), console)
    await hall.pass_time(0.5)
    assert {DESK: "a"} == await hall.holders()

    await hall.pass_time(3)
    assert {DESK: "a", CONSOLE: "a"} == await hall.holders()


async def test_a_desk_that_fails_ends_its_node(hall: Hall) -> None:
    hall.start("a", RecordingTenancy(DESK, failures=1))
    await hall.pass_time(0.5)

    with pytest.raises(ZeroDivisionError):
        await hall.end_of("a")
    assert {} == await hall.holders()


async def test_whoever_leaves_by_a_failure_says_so_before_it_waits_for_anything(hall: Hall) -> None:
    clinging = RecordingTenancy(DESK, failures=1)
    forever = asyncio.Event()

    async def close() -> None:
        await forever.wait()

    clinging.close = close  # type: ignore[method-assign]
    hall.start("a", clinging)
    await hall.pass_time(0.5)

    assert ["a"] == hall.leaving
    forever.set()
    with pytest.raises(ZeroDivisionError):
        await hall.end_of("a")


async def test_a_ready_row_of_a_node_that_left_no_file_is_no_heir(hall: Hall) -> None:
    await Cluster(hall.store, node="gone", pid=1, release="test").say_state("ready", 0)
    hall.start("a", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(3)

    assert {DESK: "a", CONSOLE: "a"} == await hall.holders()


async def test_a_start_that_fails_gives_the_lease_back_and_tries_again(hall: Hall) -> None:
    desk = RecordingTenancy(DESK, refusals=2)
    hall.start("a", desk)
    await hall.pass_time(2)

    assert {DESK: "a"} == await hall.holders()
    assert ["warm", "take", "leave 0", "warm", "take", "leave 0", "warm", "take"] == desk.calls
    assert [1, 2, 3] == [seat.epoch for seat in desk.seats]


async def test_a_node_whose_desk_cannot_start_yet_serves_the_console_and_is_ready(hall: Hall) -> None:
    desk, console = RecordingTenancy(DESK, refusals=10), RecordingTenancy(CONSOLE)
    hall.start("a", desk, console)
    await hall.pass_time(20)

    assert {CONSOLE: "a"} == await hall.holders()
    assert ["a"] == hall.ready
    assert "the venue is not there yet" == desk.held_up_by
    assert "node.ready" not in await hall.kinds(), "nobody may hand a desk over to it"

    await hall.pass_time(40)
    assert {DESK: "a", CONSOLE: "a"} == await hall.holders()
    assert "" == desk.held_up_by
    assert ["node.ready"] == (await hall.kinds())[-1:]
    assert ["a"] == hall.ready


async def test_a_desk_whose_venue_is_away_holds_up_no_other_desk(hall: Hall) -> None:
    waiting, other = RecordingTenancy("desk/absent", refusals=10**6), RecordingTenancy(DESK)
    hall.start("a", waiting, other, RecordingTenancy(CONSOLE))
    await hall.pass_time(1)

    assert {DESK: "a", CONSOLE: "a"} == await hall.holders()


async def test_a_desk_that_stands_by_for_one_that_started_is_held_up_no_more(hall: Hall) -> None:
    desk_a = RecordingTenancy(DESK, refusals=3)
    hall.start("a", desk_a)
    await hall.pass_time(0.2)
    hall.start("b", RecordingTenancy(DESK))
    await hall.pass_time(3)

    assert {DESK: "b"} == await hall.holders()
    assert "" == desk_a.held_up_by


async def test_a_desk_that_is_refused_at_a_takeover_waits_and_the_console_lives(hall: Hall) -> None:
    hall.start("a", RecordingTenancy(DESK), RecordingTenancy(CONSOLE))
    await hall.pass_time(1)
    heir = RecordingTenancy(DESK, refusals=5, refusal=Refused)
    hall.start("b", heir, RecordingTenancy(CONSOLE))
    await hall.pass_time(3)
    await hall.stop("a")
    await hall.pass_time(1)
    assert {CONSOLE: "b"} == await hall.holders()
    assert "the venue is not there yet" == heir.held_up_by

    await hall.pass_time(15)
    assert {DESK: "b", CONSOLE: "b"} == await hall.holders()


async def test_a_first_start_that_is_refused_ends_its_node_with_the_sentence(hall: Hall) -> None:
    hall.start("a", RecordingTenancy(DESK, refusals=1, refusal=Refused), RecordingTenancy(CONSOLE))
    await hall.pass_time(0.5)

    with pytest.raises(Refused, match="the venue is not there yet"):
        await hall.end_of("a")


class RefusingStore:
    """A journal that takes no claim."""

    def __init__(self, store: SqliteStore, error: StorageUnavailable) -> None:
        self._store = store
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim_lease(self, *_: object, **__: object) -> LeaseRow:
        raise self._error


@pytest.mark.parametrize(
    ("error", "heir", "shot"),
    [
        (StorageLocked("another process kept it locked too long"), "b", {"a"}),
        (StorageUnavailable("the disk is full"), "b", set()),
        (StorageLocked("another process kept it locked too long"), "a", set()),
    ],
)
async def test_only_another_that_keeps_the_journal_locked_is_shot(
    hall: Hall, error: StorageUnavailable, heir: str, shot: set[str]
) -> None:
    await hall.store.claim_lease(DESK, holder="a", ttl_s=3.0)
    await hall.pass_time(3.5)
    store = RefusingStore(hall.store, error)

    async def may_claim(lease: str) -> bool:
        return True

    leases = LeaseKeeper(store, hall.clock, holder=heir)
    heirs = Heirs(hall.store, leases, hall.deaths, clock=hall.clock, boot_id=read_boot_id(), may_claim=may_claim)
    with pytest.raises(StorageUnavailable):
        await heirs.obtain(DESK, standing_by=lambda: None)

    assert shot == hall.deaths.dead
