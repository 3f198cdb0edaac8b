"""Puts the wing together inside a program: journal, manager, routes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType

from fastapi import FastAPI

from trading_orchestrator.kernel.clock import Clock, SystemClock
from trading_orchestrator.perpetual_operations.alerts.loading import Plan
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.embedding.host_lifespan import Hosted, stop_with_lifespan
from trading_orchestrator.perpetual_operations.embedding.routes import mount, refuse_conflicts
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Action
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.storage.sqlite import open_store

JOURNAL_FILE = "journal.db"
POLL_S = 0.25  # only an operator's commands write from another process


async def embed(
    app: FastAPI,
    config: OperationsConfig,
    *,
    store: FactStore | None,
    clock: Clock | None,
    inside: FrameType,
    read_alerts: Callable[[], Plan],
    recovery_actions: Mapping[str, Action],
) -> PerpetualOperationsManager:
    """Return the running manager; if anything is refused, nothing is left behind.

    Args:
        inside: a frame of the call, to see whether the app's lifespan is under way.
        read_alerts: reads the plan of alerts, also when it is to be read anew.
        recovery_actions: the program's own, which its ladders may name.
    """
    clock = SystemClock() if clock is None else clock
    data_dir = Path(config.data_dir or "data")
    opened = None if store is not None else await open_store(data_dir / JOURNAL_FILE, clock=clock, poll_s=POLL_S)
    manager = PerpetualOperationsManager(
        config,
        store=store if store is not None else opened,  # type: ignore[arg-type]  # one of the two is there
        clock=clock,
        data_dir=data_dir,
        boot_id=read_boot_id(),
        read_alerts=read_alerts,
    )
    for name, action in recovery_actions.items():
        manager.add_recovery_action(name, action)
    if opened is not None:
        manager.at_stop.push_async_callback(opened.close)
    route = None
    try:
        console, prefix = manager.console_app(), config.console.path_prefix
        route = mount(app, console, prefix)
        await manager.start()
    except BaseException:
        if route is not None:
            app.router.routes.remove(route)
        await manager.stop()
        raise
    hosted = Hosted(manager.stop, end_streams=manager.console().end_streams)
    manager.at_stop.callback(hosted.ask)
    on_start = partial(refuse_conflicts, app, console, prefix, ours=route)
    stop_with_lifespan(app, hosted, on_start, inside)
    return manager
