"""F32: while the journal takes nothing, no new order leaves; when it heals, trading goes on and nothing is wrong."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw

from tests.chaos.judge import JournalFact, read_journal
from tests.integration.faults.desk_child import METRONOME, DeskChild
from tests.integration.faults.injectors import failing_syncs, small_disk
from tests.integration.faults.scene import Scene
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.tenancy import Succession

FRAME_BYTES = 24 + 4096
"""Of SQLite's write-ahead log: a header and a page."""


def intents(journal: Path) -> list[JournalFact]:
    return [fact for fact in read_journal(journal) if fact.kind == "order.intended"]


async def trading(scene: Scene, child: DeskChild, *, orders: int = 5) -> None:
    """Return once the child sent so many orders more."""
    until = len(scene.accepted()) + orders

    def enough() -> bool:
        child.must_live()
        return len(scene.accepted()) >= until

    await scene.until(scene.moving(enough), what=f"{orders} orders", within_s=20.0)


def beats(child: DeskChild, count: int) -> Callable[[], bool]:
    """Return whether the child's loop, which speaks five times a second, has done so that often."""
    until = len(child.said("health")) + count
    return lambda: len(child.said("health")) >= until


def torn_copy(journal: Path, *, lost_intents: int) -> Path:
    """Return a copy whose log ends in the middle of a frame, so far back that so many intents are lost."""
    torn = Path(shutil.copy(journal, journal.with_name("torn.db")))
    log, known = Path(f"{journal}-wal").read_bytes(), len(intents(journal))
    for length in range(len(log) - 100, 0, -FRAME_BYTES):
        Path(f"{torn}-wal").write_bytes(log[:length])
        if known - len(intents(torn)) >= lost_intents:
            break
        Path(f"{torn}-shm").unlink(missing_ok=True)
    return torn


async def hush(scene: Scene, child: DeskChild) -> int:
    """Return how many orders the venue has once what was under way has arrived."""
    await scene.until(scene.moving(beats(child, 3)), what="half a second to pass", within_s=6.0)
    return len(scene.accepted())


async def test_f32_a_full_disk_stops_new_orders_and_nothing_else(scene: Scene, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "6m") as disk:
        journal = disk / "journal.db"
        with DeskChild(scene, "writer", journal=journal) as child:
            await trading(scene, child)
            ballast = disk / "ballast"
            with suppress(OSError):  # the child writes meanwhile: whoever comes last finds no room
                ballast.write_bytes(bytes(shutil.disk_usage(disk).free))
            await scene.until(scene.moving(lambda: "disk is full" in child.reason()), what="the desk to say so")
            known, stopped_at = len(intents(journal)), await hush(scene, child)
            await scene.until(scene.moving(beats(child, 6)), what="a second to pass", within_s=6.0)
            # Room inside the log may still take a fact or two; nothing leaves beyond what it took.
            assert len(scene.accepted()) - stopped_at <= len(intents(journal)) - known
            assert "disk is full" in child.errors()

            ballast.unlink()
            await trading(scene, child)
            child.kill()
        shutil.copy(journal, tmp_path / "kept.db")
        for suffix in ("-wal", "-shm"):
            shutil.copy(f"{journal}{suffix}", tmp_path / f"kept.db{suffix}")
    await judge_on(scene, tmp_path / "kept.db")


async def test_f32_syncs_that_fail_lose_and_double_nothing(scene: Scene) -> None:
    with DeskChild(scene, "writer", under=failing_syncs(40, 4)) as child:
        await scene.until(
            scene.moving(lambda: "COMMIT failed (disk I/O error)" in child.errors()), what="EIO", within_s=30.0
        )
        await trading(scene, child)
        child.kill()
    await judge_on(scene, scene.journal)


async def test_f32_while_another_keeps_the_journal_locked_no_order_leaves(scene: Scene) -> None:
    with DeskChild(scene, "writer") as child:
        await trading(scene, child)
        with closing(apsw.Connection(str(scene.journal))) as other:
            other.set_busy_timeout(2000)
            other.execute("BEGIN IMMEDIATE")
            stopped_at, known = await hush(scene, child), len(intents(scene.journal))
            await scene.until(scene.moving(beats(child, 6)), what="a second to pass", within_s=6.0)
            assert (stopped_at, known) == (len(scene.accepted()), len(intents(scene.journal)))
            other.execute("ROLLBACK")
        await trading(scene, child)
        child.kill()
    await judge_on(scene, scene.journal)


async def test_f32_a_lock_that_outlasts_patience_and_lease_lets_no_order_leave(scene: Scene) -> None:
    """A minute of it, with a keeper: tests/integration/app/test_a_system_on_a_full_disk_cancels_and_lives.py."""
    with DeskChild(scene, "writer") as child:
        await trading(scene, child)
        with closing(apsw.Connection(str(scene.journal))) as other:
            other.set_busy_timeout(2000)
            other.execute("BEGIN IMMEDIATE")
            stopped_at, known = await hush(scene, child), len(intents(scene.journal))
            await scene.until(
                scene.moving(lambda: "kept it locked too long" in child.reason()), what="its patience", within_s=20.0
            )
            await scene.until(scene.moving(beats(child, 10)), what="two seconds to pass", within_s=20.0)
            assert (stopped_at, known) == (len(scene.accepted()), len(intents(scene.journal)))
            other.execute("ROLLBACK")
        heir = await scene.open(orders=1, succession=Succession.EXPIRED)
        await scene.until(scene.moving(lambda: len(scene.accepted()) > stopped_at), what="an order of the heir")
        child.kill()
        await heir.leave(1.0)
    await judge_on(scene, scene.journal)


async def test_f32_a_log_that_lost_its_end_is_a_journal_behind_the_venue(scene: Scene) -> None:
    """A disk that lied about its syncs: what it lost are orders that the venue has (see F33)."""
    with DeskChild(scene, "writer") as child:
        await trading(scene, child, orders=10)
        child.arm("order.answered")
        await scene.until(scene.moving(lambda: child.held_at("order.answered")), what="an order sent")
        child.kill()
    await scene.reopen(torn_copy(scene.journal, lost_intents=3))
    await scene.open(settings={"strategies": [METRONOME | {"params": METRONOME["params"] | {"every_s": 1000.0}}]})
    await scene.judge_adopted(within_s=6.0)
    assert "reduce_only" == scene.facts("desk.mode_changed")[-1].body["mode"]


async def test_f32_a_corrupt_page_starts_nothing(scene: Scene) -> None:
    with DeskChild(scene, "writer") as child:
        await trading(scene, child, orders=20)
        child.kill()
    await scene.store.close()
    with closing(apsw.Connection(str(scene.journal))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'facts'")
    taken = len(scene.accepted())
    with scene.journal.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x5a" * 4096)

    with DeskChild(scene, "heir") as heir:
        await scene.until(lambda: heir.ended() is not None, what="the start refused", within_s=10.0)
        assert ["journal.corrupt"] == [said["code"] for said in heir.said("error")]
        assert [] == heir.said("trading")
    assert taken == len(scene.accepted())
    assert not verify(scene.journal).ok


async def test_f32_a_read_only_disk_starts_nothing(scene: Scene, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with DeskChild(scene, "writer", journal=disk / "journal.db") as child:
            await scene.until(lambda: child.ended() is not None, what="the start refused", within_s=10.0)
            assert "make the file and its directory writable" in child.said("error")[0]["message"]
    assert [] == scene.accepted()


async def judge_on(scene: Scene, journal: Path) -> None:
    """Let a desk without strategies settle what is open on this journal, and hear the judge."""
    await scene.reopen(journal)
    assert verify(journal).ok
    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=6.0)
