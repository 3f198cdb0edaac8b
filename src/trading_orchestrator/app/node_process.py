"""One node's process: builds desks and console from the settings, hosts them until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trading_orchestrator import __version__
from trading_orchestrator.app.cpu_ceiling import tell_unlimited, wanted_here, watch_ceilings
from trading_orchestrator.app.desk_watch import (
    TradingRepairs,
    offer_spared_strategies,
    offer_trading_repairs,
    watch_desk,
    watch_standby,
)
from trading_orchestrator.app.metering.store import metered_store
from trading_orchestrator.app.metering.venue import metered_broker, metered_feed
from trading_orchestrator.app.neighbours import Neighbours
from trading_orchestrator.app.settings import JOURNAL_FILE, Configured, configured, read_alerts
from trading_orchestrator.app.venue_pulse import VenuePulse, heard_broker
from trading_orchestrator.app.venue_watch import VenueWatch
from trading_orchestrator.brokers.budget import RequestBudget
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.deaths import Deaths, clear_dead, is_alone
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.cpu_quota import ceiling_of
from trading_orchestrator.keeper.heartbeat import keep_beating
from trading_orchestrator.keeper.keeper import READY, REFUSED
from trading_orchestrator.keeper.node import Node
from trading_orchestrator.keeper.node_spec import NodeSpec, incarnations_dir
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.faultpoint import FaultPoint, HoldingFaultPoint, no_fault
from trading_orchestrator.kernel.garbage import collect_seldom
from trading_orchestrator.kernel.log import start_logging
from trading_orchestrator.kernel.tenancy import Tenancy
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.storage.sqlite.first_look import look_through
from trading_orchestrator.storage.sqlite.lock_holders import write_lock_holders
from trading_orchestrator.trading.desk import Desk

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trading_orchestrator.perpetual_operations.incidents.incident import Incident

log = logging.getLogger(__name__)
WILL_NOT_START = 78  # sysexits.h EX_CONFIG: the keeper has the sentence, and does not try again
LEAVE_BEFORE_KILL_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one node until SIGTERM or the end of the keeper; return the exit code."""
    parser = argparse.ArgumentParser(description="One node; started by the keeper, which writes its spec to stdin.")
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--keeper-fd", type=int, required=True)
    options = parser.parse_args(argv)
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=NodeSpec)
    listener = start_logging(spec.node)
    try:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(spec, options.ready_fd, options.keeper_fd))
        return 0
    except OrchestratorError as error:
        return _refuse(error.message, options.ready_fd)
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
    ) as error:  # facts are checked as they are read; rows are a cache without checksums
        return _refuse(
            f"something stored in the journal does not read back ({error}): stop every node, keep a copy of the file, "
            "run `journal verify`; when it finds nothing, run `journal rebuild-projections`, else restore a backup",
            options.ready_fd,
        )
    finally:
        listener.stop()


def _refuse(sentence: str, ready_fd: int) -> int:
    """Tell the keeper and the log why another start would not help; return the exit code."""
    log.error("%s", sentence)
    with contextlib.suppress(OSError):
        os.write(ready_fd, f"{REFUSED}{sentence}\n".replace("\n", " ").encode().rstrip() + b"\n")
    return WILL_NOT_START


async def _run(spec: NodeSpec, ready_fd: int, keeper_fd: int) -> None:
    config = configured(spec.settings, spec.source)
    stop = asyncio.Event()
    leave = _stop_when_told(stop, keeper_fd, config.settings.keeper.stop_deadline_s)
    clock = SystemClock()
    boot_id = read_boot_id()
    incarnation = Incarnation.hold(incarnations_dir(config.data_dir), spec.node, clock=clock, boot_id=boot_id)
    journal = config.data_dir / JOURNAL_FILE
    if spec.looks and is_alone(incarnations_dir(config.data_dir), spec.node):
        await asyncio.to_thread(look_through, journal, clock=clock)
    store = await open_store(journal, clock=clock)
    deaths = Deaths(incarnations_dir(config.data_dir), partial(write_lock_holders, journal))

    async def ready() -> None:
        os.write(ready_fd, f"{READY}\n".encode())
        await _tidy(store, spec.node, incarnations_dir(config.data_dir))
        await tell_unlimited(cluster, ceilings, partial(ceiling_of, os.getpid()))

    async def hand_over(because: str) -> bool:
        """Leave in order: the standby takes the leases, and the keeper starts a fresh process in this one's place."""
        others = await cluster.others_ready(deaths.lives)  # and proof that a fresh process could read the journal
        if config.settings.keeper.nodes > 1 and not others:
            return False
        log.warning("handing over to a fresh process: %s", because)
        leave()
        return True

    cluster = Cluster(store, node=spec.node, pid=os.getpid(), release=__version__)
    manager = PerpetualOperationsManager(
        config.settings.perpetual_operations,
        store=store,
        clock=clock,
        data_dir=config.data_dir,
        node=spec.node,
        boot_id=boot_id,
        is_alive=deaths.lives,
        impact=lambda incident: _impact(store, incident),
        more_routes=lambda: _trading_routes(store),
        shares_metrics=True,
        is_dead=deaths.is_dead,
        read_alerts=lambda: read_alerts(config),
        hand_over=hand_over,
    )
    neighbours = Neighbours(partial(cluster.others_ready, deaths.lives), cluster.has_left, deaths, clock)
    repairs = offer_trading_repairs(manager, neighbours)
    ceilings = wanted_here(spec, config.settings.trading.desk)
    watch_ceilings(manager, ceilings)
    if config.settings.keeper.nodes > 1:
        watch_standby(manager, neighbours)
    manager.watch()
    metered = metered_store(store, manager.meter, clock)
    listener = socket.socket(fileno=spec.listen_fd)
    beating = asyncio.create_task(keep_beating(incarnation, clock))
    console = ConsoleServer(manager, listener=listener, clock=clock, checkpoint=store.checkpoint)
    try:
        node = Node(
            _tenancies(spec, config, metered, incarnation, console, manager, repairs),
            store=store,
            leases=LeaseKeeper(metered, clock, holder=spec.node, ttl_s=config.settings.journal.lease_ttl_s),
            deaths=deaths,
            cluster=cluster,
            clock=clock,
            boot_id=boot_id,
            leave_deadline_s=config.settings.keeper.stop_deadline_s - LEAVE_BEFORE_KILL_S,
            homes={f"desk/{desk}": slot for desk, slot in spec.homes.items()},
            leaving=leave,
        )
        collect_seldom()
        await node.run(stop, ready)
    finally:
        leave()  # signs of life go on to the end, so the keeper would wait for ever for one that fails and then clings
        await manager.unwatch()
        neighbours.close()
        listener.close()
        deaths.close()
        await store.close()
        beating.cancel()
        incarnation.close()


async def _tidy(store: FactStore, node: str, incarnations: Path) -> None:
    """Clear away the files of nodes that died, and on a standby what the console imported from the collector's way."""
    held = [row.holder for row in await store.leases()]
    if node not in held:  # what a desk that trades has built does not stay
        collect_seldom()
    await asyncio.to_thread(clear_dead, incarnations, keep=held)


def _trading_routes(store: SqliteStore) -> Sequence[APIRouter]:
    """What trading serves through the console, imported with it: the web stack costs 0.3 s and 35 MB."""
    from trading_orchestrator.app.story_routes import story_routes

    return [story_routes(store)]


async def _impact(store: SqliteStore, incident: Incident) -> Sequence[str]:
    from trading_orchestrator.app.impact import desk_impact  # with the routes that show it

    return await desk_impact(store, incident)


def _stop_when_told(stop: asyncio.Event, keeper_fd: int, deadline_s: float) -> Callable[[], None]:
    """SIGTERM, SIGINT and the end of the keeper all mean: leave in order, and not later than the deadline.

    Returns what says the same from inside.
    """

    def told() -> None:
        if not stop.is_set():
            signal.setitimer(signal.ITIMER_REAL, deadline_s + LEAVE_BEFORE_KILL_S)  # SIGALRM ends us if all else fails
            stop.set()

    def keeper_gone() -> None:
        loop.remove_reader(keeper_fd)
        log.warning("the keeper is gone: leaving in order")
        told()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    loop.add_reader(keeper_fd, keeper_gone)
    return told


def _tenancies(
    spec: NodeSpec,
    config: Configured,
    store: FactStore,
    incarnation: Incarnation,
    console: ConsoleServer,
    manager: PerpetualOperationsManager,
    repairs: TradingRepairs,
) -> list[Tenancy]:
    fault: FaultPoint = HoldingFaultPoint(Path(spec.hold_dir)) if spec.hold_dir else no_fault
    clock, meter = SystemClock(), manager.meter
    notes = EmergencyNotes(incarnations_dir(config.data_dir), incarnation)
    tenancies: list[Tenancy] = [console] if spec.serves_console else []
    budgets: dict[str, RequestBudget] = {}  # the venue counts by account, whichever desk asks
    venues = VenueWatch(manager)
    for name, desk in config.settings.trading.desk.items():
        if not spec.hosts(name):
            continue
        account = config.settings.brokers[desk.broker]
        budget = budgets.setdefault(desk.broker, RequestBudget(account.budget, clock=clock))
        client = CcxtClient(account, clock=clock, budget=budget)
        manager.adopt_pool(f"{desk.broker}/{name}", client.requests)
        pulse = VenuePulse(clock)
        venue = CcxtBroker(account, clock=clock, client=client)
        heard = heard_broker(metered_broker(venue, meter, clock, desk=name), pulse)
        tenancy = Desk(
            name,
            desk,
            store=store,
            node=spec.node,
            broker=heard,
            feed=metered_feed(CcxtFeed(account, clock=clock, client=client), meter, clock, desk=name),
            clock=clock,
            fault=fault,
            now_running=incarnation.now_running,
            live=account.moves_real_money,
            notes=notes,
        )
        part = venues.watch(desk.broker, tenancy, pulse, partial(getattr, venue, "stream_state"))
        watch_desk(manager, tenancy, part, pulse, heard.clock_offset_s)
        repairs.watch(tenancy, part)
        tenancies.append(tenancy)
    offer_spared_strategies(manager, [each for each in tenancies if isinstance(each, Desk)])
    return tenancies
