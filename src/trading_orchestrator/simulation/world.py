"""The simulated world: a host, its journal, a venue, the network between, and the nodes that come and go."""

from __future__ import annotations

import asyncio
import contextvars
from decimal import Decimal
from pathlib import Path

from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import Broken, OrchestratorError
from trading_orchestrator.kernel.config import build
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import HostClock, TrueClock
from trading_orchestrator.simulation.deaths import PROVED_AFTER_S, ToldDeaths
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import Rates
from trading_orchestrator.simulation.host import Host
from trading_orchestrator.simulation.journal_reader import JournalReader
from trading_orchestrator.simulation.judge import Judge
from trading_orchestrator.simulation.market_wire import Market
from trading_orchestrator.simulation.simulated_node import SimulatedNode
from trading_orchestrator.simulation.wire import Network
from trading_orchestrator.storage.sqlite import Bell, open_store
from trading_orchestrator.trading.config import DeskConfig

SYMBOL = "EUR/USDT"
ACCOUNT = "simulated"
DESK = "sim"
MAX_POSITION_QTY = Decimal(60)
NODES = 2
GRACE_S = 2.0
REPLACED_AFTER_S = (0.05, 1.0)


def desk_config() -> DeskConfig:
    """Return a desk with little patience and tight limits, so that minutes hold what months bring."""
    values = {
        "broker": ACCOUNT,
        "symbols": [SYMBOL],
        "grace_s": GRACE_S,
        "ask_longest_s": 2.0,
        "poll_trades_s": 1.0,
        "poll_orders_s": 1.0,
        "poll_overlap_s": 5.0,
        "compare_s": 5.0,
        "quiet_s": 0.5,
        "clock_offset_every_s": 5.0,
        "clock_offset_limit_s": 0.25,
        "risk": {"max_orders_per_s": 30, "max_open_orders": 16, "max_position_qty": MAX_POSITION_QTY},
        "strategies": [
            {"name": "fidget", "class": "trading_orchestrator.simulation.fidget:Fidget", "params": {"symbol": SYMBOL}}
        ],
    }
    return build(DeskConfig, values, source="simulation")


class World:
    """Everything but the faults. Build it with `World.make` inside the virtual loop.

    `nodes`: those not dead. A dead one is replaced, as the keeper would, as long as `keeps_nodes`.
    """

    def __init__(self, loop: VirtualLoop, chance: Chance, path: Path, rates: Rates, journal_id: str) -> None:
        self.loop = loop
        self.chance = chance
        self.host_clock = HostClock(loop, chance.fork("host clock"))
        self.true_clock = TrueClock(loop, chance.fork("true clock"))
        instrument = Instrument(SYMBOL, "EUR", "USDT", Decimal("0.0001"), Decimal("0.1"))
        balances = {"EUR": Decimal(100_000), "USDT": Decimal(100_000)}
        self.venue = SimulatedVenue([instrument], clock=self.true_clock, balances=balances)
        self.reader = JournalReader(path)
        self.judge = Judge(
            self.reader,
            self.venue,
            desk=DESK,
            account=ACCOUNT,
            symbol=SYMBOL,
            max_position_qty=MAX_POSITION_QTY,
            grace_s=GRACE_S,
            now_s=loop.time,
            journal_id=journal_id,
        )
        self.network = Network(loop, self.venue, self.true_clock, chance.fork("network"), self.judge, rates)
        self.judge.under_way = lambda: self.network.under_way
        self.market = Market(self.venue, SYMBOL, self.true_clock, chance.fork("market"))
        self.nodes: list[SimulatedNode] = []
        self.keeps_nodes = True
        self.host = Host(
            loop=loop,
            context=contextvars.copy_context(),
            chance=chance,
            path=path,
            bell=Bell(),
            host_clock=self.host_clock,
            venue=self.venue,
            network=self.network,
            deaths=ToldDeaths(loop, self._shoot),
            desk_name=DESK,
            desk_config=desk_config(),
        )
        self._all: list[SimulatedNode] = []
        self._births = chance.fork("births")
        loop.on_failure = self._task_failed

    @classmethod
    async def make(cls, loop: VirtualLoop, chance: Chance, path: Path, rates: Rates) -> World:
        clock = HostClock(loop, chance)
        store = await open_store(path, clock=clock, inline=True, random_bytes=chance.fork("journal").octets)
        await store.close()
        return cls(loop, chance, path, rates, store.journal_id)

    def add_node(self) -> None:
        node = SimulatedNode(self.host, f"n{len(self._all) + 1}", killed=self._node_died, ended=self._node_ended)
        self._all.append(node)
        self.nodes.append(node)
        node.start()

    def trader(self) -> SimulatedNode | None:
        """Return the living node that holds the desk, if one does."""
        holder = self.reader.holder(f"desk/{DESK}")
        return next((node for node in self.nodes if node.name == holder), None)

    def _node_died(self, node: SimulatedNode) -> None:
        """A node was killed: its death can be proved soon, and the keeper starts another."""
        self.nodes.remove(node)
        self.network.later(self._births.between(*PROVED_AFTER_S), self.host.deaths.tell, node.name)
        self._replace()

    def _node_ended(self, node: SimulatedNode, error: BaseException | None) -> None:
        """A process ended by itself: in order, or because it could not go on."""
        if isinstance(error, Broken) or (error is not None and not isinstance(error, OrchestratorError)):
            self.judge.blame("bug", f"node {node.name} ended by {type(error).__name__}: {error}")
        self.nodes.remove(node)
        self.host.deaths.tell(node.name)
        self._replace()

    def _task_failed(self, strand: str, error: BaseException) -> None:
        """The program's own errors are answers; any other, or a broken invariant, ended what should have gone on."""
        if isinstance(error, Broken) or not isinstance(error, OrchestratorError):
            self.judge.blame("bug", f"a task of {strand} ended by {type(error).__name__}: {error}")

    def _replace(self) -> None:
        if self.keeps_nodes:
            self.network.later(self._births.between(*REPLACED_AFTER_S), self._add_missing)

    def _add_missing(self) -> None:
        if self.keeps_nodes and len(self.nodes) < NODES:
            self.add_node()

    def _shoot(self, name: str) -> None:
        for node in [node for node in self.nodes if node.name == name]:
            node.kill()

    async def end(self) -> None:
        """Take everything apart; nothing is judged any more."""
        self.keeps_nodes = False
        for node in self._all:
            node.bury()
        for task in list(self.host.tasks):
            task.cancel()
        await asyncio.gather(*self.host.tasks, return_exceptions=True)
        self.reader.close()
