"""F34: an old program leaves a newer journal alone, and an upgrade cut short by a crash never happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.scene import Scene
from trading_orchestrator.journal.verify import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

UPGRADE = """
import os, signal, sys
from pathlib import Path
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.ids import system_random
from trading_orchestrator.storage.sqlite.schema import Migration, migrate, shipped_migrations
import apsw

path = Path(sys.argv[1])
connection = apsw.Connection(str(path))
connection.create_scalar_function("die", lambda: os.kill(os.getpid(), signal.SIGKILL))
shipped = list(shipped_migrations())
table = "CREATE TABLE later (id INTEGER) STRICT; INSERT INTO later VALUES (1);"
steps = [*shipped, Migration(shipped[-1].version + 1, "later", table + " SELECT die();")]
migrate(connection, path, steps=steps, clock=SystemClock(), random_bytes=system_random)
"""


async def test_f34_an_old_desk_does_not_start_on_a_newer_journal(scene: Scene) -> None:
    with closing(apsw.Connection(str(scene.journal))) as connection:
        ((known,),) = connection.execute("PRAGMA user_version")
        connection.execute(f"PRAGMA user_version = {known + 1}")

    with DeskChild(scene, "old") as old:
        await scene.until(lambda: old.ended() is not None, what="the start refused", within_s=10.0)
        assert "start the newer version that wrote it; nothing was changed" in old.said("error")[0]["message"]
    assert [] == scene.venue.log("order.accepted")
    assert [] == scene.facts()


async def test_f34_an_upgrade_that_died_half_way_left_the_old_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await (await open_store(path, clock=SystemClock())).close()
    with closing(apsw.Connection(str(path))) as connection:
        before = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()

    died = subprocess.run([sys.executable, "-c", UPGRADE, str(path)], capture_output=True, check=False, timeout=30)
    assert -signal.SIGKILL == died.returncode, died.stderr.decode()

    store = await open_store(path, clock=SystemClock())
    await store.close()
    with closing(apsw.Connection(str(path))) as connection:
        assert before == connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    assert verify(path).ok
