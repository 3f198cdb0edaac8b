"""A desk in a process of its own: `python -m tests.integration.faults.desk_process SPEC`, SPEC being JSON.

Says one JSON line a step on standard output: `trading` once it trades, `left` when SIGTERM ended it in order,
`error` when it could not begin. It dies with its parent at the latest: standard input is its lifeline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.desk.conftest import ACCOUNT, Seat
from tests.leases import holder_of
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.faultpoint import HoldingFaultPoint
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk


class DeskSpec(msgspec.Struct, frozen=True):
    """What the process needs. `predecessor_dead`: it takes the lease at once, as after a proved death."""

    node: str
    journal: str
    hold_dir: str
    urls: dict[str, Any]
    desk: dict[str, Any]
    reach: dict[str, Any]
    predecessor_dead: bool = True


def say(step: str, **more: Any) -> None:
    print(msgspec.json.encode({"step": step, **more}).decode(), flush=True)


async def trade(spec: DeskSpec) -> None:
    """Trade until SIGTERM, then leave in order."""
    clock = SystemClock()
    store = await open_store(Path(spec.journal), clock=clock)
    config = CcxtConfig(api_key=f"{ACCOUNT}-key", secret=f"{ACCOUNT}-secret", urls={"api": spec.urls}, **spec.reach)
    client = CcxtClient(config, clock=clock)
    desk = Desk(
        "paper",
        build(DeskConfig, spec.desk, source="test"),
        store=store,
        node=spec.node,
        broker=CcxtBroker(config, clock=clock, client=client),
        feed=CcxtFeed(config, clock=clock, client=client),
        clock=clock,
        fault=HoldingFaultPoint(Path(spec.hold_dir)),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(sys.stdin.fileno(), lambda: os._exit(3))
    await desk.warm()
    say("warm")
    dead = await holder_of(store, desk.lease) if spec.predecessor_dead else ""
    held = await LeaseKeeper(store, clock, holder=spec.node).claim(desk.lease, dead_holder=dead)
    await desk.take(Seat(held, Succession.PROVED_DEATH if held.epoch > 1 else Succession.FIRST))
    say("trading", epoch=held.epoch)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stop.wait()
        say("health", reason=desk.health().reason)
    await desk.close()
    await held.abandon()
    await store.close()
    say("left")


def main() -> int:
    try:
        asyncio.run(trade(msgspec.json.decode(sys.argv[1], type=DeskSpec)))
    except OrchestratorError as error:
        say("error", code=error.code, message=error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
