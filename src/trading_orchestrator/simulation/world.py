"""The simulated world: a host, its journal, the accounts it trades on, and the nodes that come and go."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from pathlib import Path

from trading_orchestrator.errors import Broken, OrchestratorError
from trading_orchestrator.simulation.account import Account, open_account, stream_of
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import HostClock, TrueClock
from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.deaths import PROVED_AFTER_S, ToldDeaths
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import FaultKind, Rates
from trading_orchestrator.simulation.host import Host
from trading_orchestrator.simulation.journal_reader import JournalReader
from trading_orchestrator.simulation.judge import Violation
from trading_orchestrator.simulation.operator import Operator
from trading_orchestrator.simulation.restore import put_back
from trading_orchestrator.simulation.simulated_node import SimulatedNode
from trading_orchestrator.storage.sqlite import Bell, SqliteStore, open_store

NODES = 2
REPLACED_AFTER_S = (0.05, 1.0)
TWO_DESKS_RATIO = 0.25
EVERY_S = 0.02
"""Between two decisions of a desk; two desks take turns."""
CLOSED_AFTER_S = 0.001
LOOK_AFTER_S = 0.5
RESTORED_AFTER_S = 1.0
"""How long a restore takes: longer than a request can still be under way."""


class World:
    """Everything but the faults. Build it with `World.make` inside the virtual loop.

    `nodes`: those not dead. A dead one is replaced, as the keeper would, as long as `keeps_nodes`.
    """

    def __init__(
        self, loop: VirtualLoop, chance: Chance, path: Path, rates: Rates, store: SqliteStore, bell: Bell
    ) -> None:
        self.loop = loop
        self.chance = chance
        self.host_clock = HostClock(loop, chance.fork("host clock"))
        self.true_clock = TrueClock(loop, chance.fork("true clock"))
        self.coverage = Coverage()
        self.violations: list[Violation] = []
        self.accounts = self._open_accounts(path, rates, store.journal_id)
        self.operator = Operator(store)
        self.nodes: list[SimulatedNode] = []
        self.keeps_nodes = True
        self.host = Host(
            loop=loop,
            context=contextvars.copy_context(),
            chance=chance,
            path=path,
            bell=bell,
            host_clock=self.host_clock,
            accounts=self.accounts,
            deaths=ToldDeaths(loop, self._shoot),
        )
        self._store = store
        self._all: list[SimulatedNode] = []
        self._births = chance.fork("births")
        loop.on_failure = self._task_failed

    @classmethod
    async def make(cls, loop: VirtualLoop, chance: Chance, path: Path, rates: Rates) -> World:
        clock, bell = HostClock(loop, chance), Bell()
        octets = chance.fork("journal").octets
        store = await open_store(path, clock=clock, inline=True, random_bytes=octets, bell=bell)
        return cls(loop, chance, path, rates, store, bell)

    def _open_accounts(self, path: Path, rates: Rates, journal_id: str) -> list[Account]:
        two = self.chance.fork("desks").hits(TWO_DESKS_RATIO)
        desks = ("sim", "two") if two else ("sim",)
        return [
            open_account(
                desk,
                self.loop,
                self.chance.fork(desk),
                every_s=EVERY_S * len(desks),
                rates=rates,
                path=path,
                journal_id=journal_id,
                coverage=self.coverage,
                violations=self.violations,
                now_s=self.loop.time,
            )
            for desk in desks
        ]

    @property
    def order_count(self) -> int:
        return sum(account.judge.order_count for account in self.accounts)

    @property
    def path(self) -> Path:
        return self.host.path

    def struck(self, kind: FaultKind, account: Account | None = None) -> None:
        """Count a larger fault; it meets the orders of one account, or of all."""
        self.coverage.faults += 1
        for each in self.accounts if account is None else [account]:
            each.judge.met_all(kind)

    def later(self, delay_s: float, do: Callable[..., object], *args: object) -> None:
        """Call something in the world's own strand."""
        self.loop.call_later(delay_s, do, *args, context=self.host.context)

    # -- nodes

    def add_node(self) -> None:
        node = SimulatedNode(self.host, f"n{len(self._all) + 1}", killed=self._node_died, ended=self._node_ended)
        self._all.append(node)
        self.nodes.append(node)
        node.start()

    def trader(self, account: Account) -> SimulatedNode | None:
        """Return the living node that holds the account's desk, if one does."""
        holder = account.judge.holder()
        return next((node for node in self.nodes if node.name == holder), None)

    def kill_all(self) -> None:
        """End every node at once."""
        for node in list(self.nodes):
            node.kill()

    def _node_died(self, node: SimulatedNode) -> None:
        """A node was killed: its death can be proved soon, and the keeper starts another."""
        self.nodes.remove(node)
        self.later(self._births.between(*PROVED_AFTER_S), self.host.deaths.tell, node.name)
        self._replace()

    def _node_ended(self, node: SimulatedNode, error: BaseException | None) -> None:
        """A process ended by itself: in order, or because it could not go on."""
        if isinstance(error, Broken) or (error is not None and not isinstance(error, OrchestratorError)):
            self._blame(f"node {node.name} ended by {type(error).__name__}: {error}")
        self.nodes.remove(node)
        self.host.deaths.tell(node.name)
        self._replace()

    def _task_failed(self, strand: str, error: BaseException) -> None:
        """The program's own errors are answers; any other, or a broken invariant, ended what should have gone on."""
        if isinstance(error, Broken) or not isinstance(error, OrchestratorError):
            self._blame(f"a task of {strand} ended by {type(error).__name__}: {error}")

    def _blame(self, sentence: str) -> None:
        self.accounts[0].judge.blame("bug", sentence)

    def _replace(self) -> None:
        if self.keeps_nodes:
            self.later(self._births.between(*REPLACED_AFTER_S), self._add_missing)

    def _add_missing(self) -> None:
        if self.keeps_nodes and len(self.nodes) < NODES:
            self.add_node()

    def _shoot(self, name: str) -> None:
        for node in [node for node in self.nodes if node.name == name]:
            node.kill()

    async def look_after_desks(self) -> None:
        """For ever: write off what is nowhere to be found, cancel what nobody owns, and let careful desks go on."""
        while True:
            await self.true_clock.sleep(LOOK_AFTER_S)
            for account in self.accounts:
                account.human.cancel(account.onlooker.adopted())
                if not account.onlooker.may_trade() and not account.is_disarmed:
                    await self.operator.arm(account.desk, armed=True)
                if account.onlooker.stopped_by_itself() and not account.network.is_revoked:
                    await self.operator.ask(account.desk, "normal")
                for cl_ord_id in account.onlooker.to_write_off():
                    await self.operator.write_off(account.desk, cl_ord_id)

    # -- the journal's file

    async def restore(self, copied_pos: int, *, on_new_timeline: bool) -> None:
        """Stop everything, let the copy be the journal, and start again."""
        self.keeps_nodes = False
        self.kill_all()
        await self.true_clock.sleep(RESTORED_AFTER_S)
        await self._store.close()
        random_bytes = self.chance.fork("restored journal").octets
        put_back(self.path, on_new_timeline=on_new_timeline, clock=self.host_clock, random_bytes=random_bytes)
        self.host.bell.begin_anew()
        self._store = await open_store(self.path, clock=self.host_clock, inline=True, bell=self.host.bell)
        for account in self.accounts:
            account.judge.restored(JournalReader(self.path, account.stream), self._store.journal_id)
        await self.operator.repeat(self._store, copied_pos)
        self.keeps_nodes = True
        for _ in range(NODES):
            self._add_missing()

    def digest(self) -> str:
        """Return one hash over every stream's head, so over every fact."""
        reader = JournalReader(self.path, stream_of(""))
        try:
            return reader.digest()
        finally:
            reader.close()

    async def end(self) -> None:
        """Take everything apart; nothing is judged any more."""
        self.keeps_nodes = False
        for node in self._all:
            node.bury()
        for task in list(self.host.tasks):
            task.cancel()
        await asyncio.gather(*self.host.tasks, return_exceptions=True)
        await self._store.close()
        for account in self.accounts:
            account.judge.close()
