"""A journal with a desk in it, and the console that serves it on a real loopback socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import HealthConfig, OperationsConfig
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

CLOCK = SystemClock()


@dataclass(frozen=True)
class HeldSeat:
    """A seat that may act."""

    hung_in = ""

    lease: str = "console"
    epoch: int = 1
    succession: Succession = Succession.FIRST

    def may_act(self) -> bool:
        return True


@dataclass
class PracticeDesk:
    """Writes what a desk would: facts with the rows that follow from them."""

    store: SqliteStore
    fence: Fence
    trades: int = 0

    async def trade(self) -> None:
        """Book one filled order."""
        self.trades += 1
        number, at_ns = self.trades, CLOCK.wall_ns()
        order = {
            "cl_ord_id": f"to-{number}", "desk": "practice", "symbol": "EUR/USDT", "side": "buy", "order_qty": "50",
            "px": "1.1", "ord_status": "FILLED", "state": "filled", "cum_qty": "50", "created_ns": at_ns, "record": {},
        }  # fmt: skip
        trade = {
            "trade_id": str(number), "desk": "practice", "cl_ord_id": f"to-{number}", "symbol": "EUR/USDT",
            "side": "buy", "last_qty": "50", "last_px": "1.1", "fee": "0.055", "fee_asset": "USDT", "at_ns": at_ns,
            "record": {},
        }  # fmt: skip
        position = {
            "desk": "practice", "symbol": "EUR/USDT", "qty": str(50 * number), "avg_px": "1.1", "realized": "0",
            "cash_flow": str(-55 * number), "fees": {"USDT": f"{0.055 * number:.3f}"}, "trades": number,
        }  # fmt: skip
        desk = {"desk": "practice", "mode": "normal", "open_orders": 0, "unknown_orders": 0}
        await self.store.append(
            [
                NewFact("desk/practice", "order.intended", {"no": number}),
                NewFact("desk/practice", "trade.booked", trade),
            ],
            node="a",
            fence=self.fence,
            puts=[
                Put("orders", f"to-{number}", order),
                Put("trades", str(number), trade),
                Put("positions", "practice/EUR/USDT", position),
                Put("desks", "practice", desk),
            ],
        )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path / "journal.db", clock=CLOCK)
    yield opened
    await opened.close()


@pytest.fixture
async def desk(store: SqliteStore) -> PracticeDesk:
    """A desk on node a, with nodes a and b ready and three trades done."""
    lease = await store.claim_lease("desk/practice", holder="a", ttl_s=60)
    await store.claim_lease("console", holder="b", ttl_s=60)
    claimed = {"lease": "desk/practice", "epoch": lease.epoch, "succession": "first", "took_ms": 12.5}
    await store.append([NewFact("cluster", "lease.claimed", claimed)], node="a", fence=None)
    for node in ("a", "b"):
        ready = {"node": node, "state": "ready", "pid": 1, "release": "0.1.0", "at_ns": CLOCK.wall_ns()}
        await store.append(
            [NewFact("cluster", "node.ready", ready)], node=node, fence=None, puts=[Put("nodes", node, ready)]
        )
    practice = PracticeDesk(store, Fence("desk/practice", lease.epoch))
    for _ in range(3):
        await practice.trade()
    return practice


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The shared listening descriptor, as the keeper owns it."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        yield listening


def make_operations(store: SqliteStore, data_dir: Path, node: str = "b") -> PerpetualOperationsManager:
    """Return the operations of a node."""
    quiet = OperationsConfig(
        alerts=AlertsConfig(enabled=False),  # they write facts of their own
        resources=ResourcesConfig(enabled=False),  # a suite that keeps every core busy is no trouble of the node
        health=HealthConfig(loop_lag_degraded_s=20.0, loop_lag_unhealthy_s=30.0),
    )
    return PerpetualOperationsManager(
        quiet, store=store, clock=CLOCK, data_dir=data_dir, node=node, boot_id=read_boot_id()
    )


@pytest.fixture
def operations(store: SqliteStore, tmp_path: Path) -> PerpetualOperationsManager:
    return make_operations(store, tmp_path)


@pytest.fixture
async def console(operations: PerpetualOperationsManager, listener: socket.socket) -> AsyncIterator[ConsoleServer]:
    server = ConsoleServer(operations, listener=listener, clock=CLOCK)
    await server.warm()
    await server.take(HeldSeat())
    yield server
    await server.leave(0)
    await server.close()


@pytest.fixture
def base_url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=base_url, timeout=10) as http:
        yield http
