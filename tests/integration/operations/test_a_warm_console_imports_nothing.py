"""From READY on a node may have to take a desk at any instant, so a console is imported before, not then."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSOLE = """
import asyncio, json, socket, sys
from pathlib import Path

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.sqlite import open_store


class Seat:
    lease, epoch, hung_in = "console", 1, ""

    def may_act(self):
        return True


async def main(folder):
    clock = SystemClock()
    store = await open_store(folder / "journal.db", clock=clock)
    manager = PerpetualOperationsManager(
        OperationsConfig(), store=store, clock=clock, data_dir=folder, node="a", boot_id=read_boot_id()
    )
    manager.watch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ConsoleServer(manager, listener=listener, clock=clock)
        await server.warm()
        warm = set(sys.modules)
        await server.take(Seat())
        await asyncio.sleep(1.5)
        late = sorted(set(sys.modules) - warm)
        await server.leave(0)
        await server.close()
    await manager.unwatch()
    await store.close()
    print(json.dumps(late))


asyncio.run(main(Path(sys.argv[1])))
"""


def test_it_takes_its_place_with_what_it_has(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", CONSOLE, str(tmp_path)], check=True, capture_output=True, text=True, timeout=60
    )

    assert [] == json.loads(said.stdout.splitlines()[-1])
