"""F34: an old program leaves a newer journal alone, and an upgrade cut short by a crash never happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.integration.faults.desk_child import PROJECT, DeskChild
from tests.integration.faults.injectors import need
from tests.integration.faults.newer_release import newer_release
from tests.integration.faults.scene import Scene
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import JournalNewer, NewFact
from trading_orchestrator.storage.sqlite import open_store

OPEN = """
import asyncio, sys
from pathlib import Path
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

async def main() -> None:
    await (await open_store(Path(sys.argv[1]), clock=SystemClock())).close()
    assert verify(Path(sys.argv[1])).ok

asyncio.run(main())
"""
WRITES = "pwrite64,fdatasync,fsync,ftruncate"
MOST_WRITES = 200


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """What a process needs in its environment to be the newer release."""
    return {"PYTHONPATH": f"{newer_release(tmp_path / 'newer')}:{PROJECT}"}


async def test_f34_an_old_desk_does_not_start_on_a_journal_that_a_newer_one_trades_on(
    scene: Scene, newer: dict[str, str]
) -> None:
    with DeskChild(scene, "newer", environ=newer) as child:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 5), what="orders", within_s=20.0)
        child.kill()
    taken, facts = len(scene.accepted()), len(scene.facts())

    with DeskChild(scene, "old") as old:
        await scene.until(lambda: old.ended() is not None, what="the start refused", within_s=10.0)
        assert "start the newer version that wrote it; nothing was changed" in old.said("error")[0]["message"]
    assert (taken, facts) == (len(scene.accepted()), len(scene.facts()))

    with DeskChild(scene, "again", environ=newer) as child:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > taken + 5), what="orders", within_s=20.0)
        child.kill()
    await settled(scene, newer)


async def test_f34_an_old_desk_that_trades_while_the_journal_is_upgraded_goes_on(
    scene: Scene, newer: dict[str, str]
) -> None:
    """Side by side, as in a rolling upgrade: what is added does not disturb who knows nothing of it."""
    with DeskChild(scene, "old") as old:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 5), what="orders", within_s=20.0)
        upgrade(scene.journal, newer)
        known = len(scene.accepted())
        await scene.until(scene.moving(lambda: len(scene.accepted()) > known + 10), what="more orders", within_s=10.0)
        old.kill()
    with DeskChild(scene, "newer", environ=newer) as child:
        await scene.until(
            scene.moving(lambda: "newer" in {fact.node for fact in scene.facts()}), what="it", within_s=20.0
        )
        child.kill()
    await settled(scene, newer)


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
async def test_f34_an_upgrade_killed_at_any_write_happened_whole_or_not_at_all(
    tmp_path: Path, newer: dict[str, str], every: int
) -> None:
    """`kill -9` at the first, seventh, … write or sync of the upgrade, until one comes to its end."""
    original = tmp_path / "original.db"
    await fill(original)
    old, whole = schema(original), schema(upgraded(original, tmp_path / "whole", newer))
    met = set()
    for number in range(1, MOST_WRITES, every):
        journal = copied(original, tmp_path / f"killed-{number}")
        died = upgrade(journal, newer, killed_at=number)
        found = schema(journal)
        assert found in (old, whole)
        await opens(journal, is_new=found == whole)
        met.add((died, found == whole))
        upgrade(journal, newer)
        assert whole == schema(journal)
        if not died:
            break
    assert {(True, False), (False, True)} <= met


async def settled(scene: Scene, newer: dict[str, str]) -> None:
    """Let a desk of the newer release without strategies settle what is open, and hear the judge."""
    with DeskChild(scene, "settling", strategies=[], environ=newer) as child:
        await scene.until(lambda: child.said("trading"), what="the last start", within_s=20.0)
        await scene.judge(within_s=8.0)
        child.kill()


async def fill(journal: Path) -> None:
    store = await open_store(journal, clock=SystemClock())
    for number in range(50):
        await store.append([NewFact("cluster", "node.noted", {"number": number})], node="old", fence=None)
    await store.close()


async def opens(journal: Path, *, is_new: bool) -> None:
    """Open it with this program, the old one; a new one it refuses."""
    if not is_new:
        assert verify(journal).ok
        await (await open_store(journal, clock=SystemClock())).close()
        return
    with pytest.raises(JournalNewer):
        await open_store(journal, clock=SystemClock())


def upgrade(journal: Path, newer: dict[str, str], killed_at: int = 0) -> bool:
    """Open it once with the newer release; returns whether that was killed."""
    under: list[str] = []
    if killed_at:
        inject = f"inject={WRITES}:signal=SIGKILL:when={killed_at}"
        under = [need("strace", "killing at a write"), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={WRITES}"]
        under += ["-e", inject, "-P", str(journal), "-P", f"{journal}-wal"]
    command = [*under, sys.executable, "-c", OPEN, str(journal)]
    ended = subprocess.run(command, env=os.environ | newer, capture_output=True, check=False, timeout=60)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr.decode()[-2000:]
    return ended.returncode != 0


def nodes(scene: Scene) -> set[str]:
    return {fact.node for fact in scene.facts("order.intended")}


def copied(journal: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(journal, folder / "journal.db"))


def upgraded(journal: Path, folder: Path, newer: dict[str, str]) -> Path:
    copy = copied(journal, folder)
    upgrade(copy, newer)
    return copy


def schema(journal: Path) -> list[tuple[object, ...]]:
    """Return what makes the file old or new: its version, tables and migrations."""
    with closing(apsw.Connection(str(journal))) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
        applied = connection.execute("SELECT version, name FROM migrations ORDER BY version").fetchall()
        return [*connection.execute("PRAGMA user_version"), *found, *applied]
