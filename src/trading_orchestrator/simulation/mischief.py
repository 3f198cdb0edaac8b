"""The larger faults: what strikes a node, its disk, its clock, the venue as a whole, or comes from people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from trading_orchestrator.simulation.account import Account
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.faults import LARGE_KINDS, FaultKind, Rates, drawn
from trading_orchestrator.simulation.restore import take_copy
from trading_orchestrator.simulation.shaky_store import AtCommit
from trading_orchestrator.simulation.simulated_node import SimulatedNode
from trading_orchestrator.simulation.wire import Wire
from trading_orchestrator.simulation.world import World
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order

NOTHING = Rates()
TURNS_TO_LIVE = 400
POINTS = (
    *("order.deciding", "order.intended", "order.in_flight", "order.answered"),
    *("cancel.deciding", "cancel.intended", "cancel.in_flight", "cancel.answered"),
    *("trade.booking", "trade.booked"),
)
MUTE_S, CUT_S, OUTAGE_S = (0.5, 4.0), (0.1, 2.0), (0.3, 4.0)
STOPPED_S = (0.05, 6.0)
STOPPED_BEYOND_TTL_S = (2.0, 6.0)
REFUSING_S = (0.05, 2.0)
STEPPED_S = (0.5, 3.0)
STEPS_S = (-3600.0, -2.0, -0.2, 0.2, 2.0, 3600.0)
MODE_S, KILLED_S = (0.2, 1.5), (0.5, 2.0)
MODES = ("halted", "draining", "reduce_only")
EXPLAINED_S = (1.0, 6.0)
RESTORED_RATIO = 0.3
COPIED_S, PUT_BACK_S = (1.0, 12.0), (0.5, 8.0)
LIFTED_S = 0.5
AIMED_RATIO, AIM_S = 0.5, 1.5


class Mischief:
    """Strikes again and again until it is cancelled; `heal` ends what still lasts."""

    def __init__(self, world: World, rates: Rates, chance: Chance) -> None:
        self._world = world
        self._rates = rates
        self._chance = chance
        self._kinds: Sequence[FaultKind] = drawn(LARGE_KINDS)
        self._healed = False
        self._strikes: Mapping[FaultKind, Callable[[], None]] = {
            FaultKind.KILLED: self._kill,
            FaultKind.KILLED_AT_COMMIT: self._kill_at_commit,
            FaultKind.KILLED_AT_SEND: self._kill_at_send,
            FaultKind.STOPPED: self._stop,
            FaultKind.STOPPED_AT_SEND: self._stop_at_send,
            FaultKind.RETIRED: self._retire,
            FaultKind.COMMIT_REFUSED: self._refuse_commits,
            FaultKind.COMMIT_UNKNOWN: self._leave_commit_unknown,
            FaultKind.COMMIT_TORN: self._tear_commit,
            FaultKind.WALL_STEPPED: self._step_wall,
            FaultKind.BLACKOUT: self._world.kill_all,
        }

        self._strikes_one: Mapping[FaultKind, Callable[[Account], None]] = {
            FaultKind.MUTE: self._mute,
            FaultKind.CUT: self._cut,
            FaultKind.OUTAGE: self._outage,
            FaultKind.HUMAN_ORDERED: self._order_by_hand,
            FaultKind.TRANSFERRED: self._transfer,
            FaultKind.MODE_ASKED: self._ask_mode,
            FaultKind.KILL_SWITCHED: self._switch_kill,
        }

    async def run(self) -> None:
        """Strike for ever, at chance intervals."""
        if self._rates.apart_s is None:
            return
        while True:
            await self._world.true_clock.sleep(self._chance.between(0.0, 2 * self._rates.apart_s))
            kind = self._chance.pick(self._kinds)
            if self._chance.hits(AIMED_RATIO):
                await self._order_in(self._chance.pick(list(At)))
            if kind in self._strikes:
                self._world.struck(kind)
                self._strikes[kind]()
            else:
                account = self._chance.pick(self._world.accounts)
                self._world.struck(kind, account)
                self._strikes_one[kind](account)

    async def _order_in(self, state: At) -> None:
        """Wait for an order in this state, as long as `AIM_S`: some states last for milliseconds."""
        met = self._world.loop.create_future()
        late = self._world.loop.call_later(AIM_S, _noted, met)

        def look(order: Order) -> None:
            if order.status is state:
                _noted(met)

        for account in self._world.accounts:
            account.judge.on_order = look
        try:
            await met
        finally:
            late.cancel()

    async def restore(self) -> None:
        """In some worlds, put the journal back once: to a copy some seconds old."""
        if self._rates.apart_s is None or not self._chance.hits(RESTORED_RATIO):
            return
        sleep = self._world.true_clock.sleep
        await sleep(self._chance.between(*COPIED_S))
        while not all(account.judge.book.is_opened for account in self._world.accounts):
            await sleep(LIFTED_S)
        copied_pos = take_copy(self._world.path)
        await sleep(self._chance.between(*PUT_BACK_S))
        self._world.struck(FaultKind.RESTORED)
        await self._world.restore(copied_pos, on_new_timeline=self._chance.hits(0.5))
        await sleep(LIFTED_S)
        await self._let_go_on()

    async def _let_go_on(self) -> None:
        for account in self._world.accounts:
            await self._world.operator.ask(account.desk, "normal")

    async def heal(self) -> None:
        """End every larger fault: nodes live, the disk writes, the venue answers, the clock is right."""
        world = self._world
        self._healed = True
        for account in world.accounts:
            account.network.is_out = False
        world.host_clock.set_off(0)
        await self._let_go_on()
        for node in list(world.nodes):
            self._heal_node(node)

    async def calm(self) -> None:
        """End what befalls single messages, and the human's day; from here on nothing goes wrong."""
        await self._let_go_on()
        for account in self._world.accounts:
            account.network.rates = NOTHING
            account.human.cancel_all()

    def _heal_node(self, node: SimulatedNode) -> None:
        node.armed_point = ""
        node.disk.mend()
        if node.store is not None:
            node.store.armed, node.store.refusing = None, False
        self._world.loop.forget_alarm(node.name)
        for wire in node.wires:
            wire.mend()
        node.go_on()

    def _victim(self) -> SimulatedNode | None:
        """Mostly the node that trades, sometimes any."""
        nodes = [node for node in self._world.nodes if not node.is_halted]
        trader = self._world.trader(self._chance.pick(self._world.accounts))
        if trader in nodes and self._chance.hits(0.8):
            return trader
        return self._chance.pick(nodes) if nodes else None

    def _for_a_while(self, span_s: tuple[float, float], undo: Callable[[], object]) -> None:
        self._world.later(self._chance.between(*span_s), lambda: None if self._healed else undo())

    # -- stream and venue

    def _wire(self, account: Account) -> Wire | None:
        node = self._world.trader(account) or self._victim()
        return node.wires[self._world.accounts.index(account)] if node is not None else None

    def _mute(self, account: Account) -> None:
        if (wire := self._wire(account)) is not None:
            wire.is_mute = True
            self._for_a_while(MUTE_S, wire.mend)

    def _cut(self, account: Account) -> None:
        if (wire := self._wire(account)) is not None:
            wire.is_cut = True
            self._for_a_while(CUT_S, wire.mend)

    def _outage(self, account: Account) -> None:
        account.network.is_out = True
        self._for_a_while(OUTAGE_S, lambda: setattr(account.network, "is_out", False))

    # -- people

    def _order_by_hand(self, account: Account) -> None:
        if account.judge.book.is_opened:  # before, it is in the opening balances
            account.human.trade()

    def _transfer(self, account: Account) -> None:
        if not account.judge.book.is_opened:
            return
        asset, qty = account.human.transfer()
        account.judge.moved(asset, qty)
        explain = partial(self._world.operator.explain, account.desk, asset, qty)
        self._world.later(self._chance.between(*EXPLAINED_S), lambda: self._world.host.spawn(explain()))

    def _ask_mode(self, account: Account) -> None:
        self._ask_for_a_while(account, self._chance.pick(MODES), MODE_S)

    def _switch_kill(self, account: Account) -> None:
        self._ask_for_a_while(account, "killed", KILLED_S)

    def _ask_for_a_while(self, account: Account, mode: str, span_s: tuple[float, float]) -> None:
        ask = self._world.operator.ask
        self._world.host.spawn(ask(account.desk, mode))
        self._for_a_while(span_s, lambda: self._world.host.spawn(ask(account.desk, "normal")))

    # -- processes

    def _kill(self) -> None:
        if (node := self._victim()) is not None:
            self._world.loop.after_turns(node.name, self._chance.below(TURNS_TO_LIVE), node.kill)

    def _kill_at_commit(self) -> None:
        if (node := self._victim()) is not None and node.store is not None:
            node.store.armed = self._chance.pick((AtCommit.DIE_BEFORE, AtCommit.DIE_AFTER))

    def _kill_at_send(self) -> None:
        if (node := self._victim()) is not None:
            node.armed_point, node.at_point = self._chance.pick(POINTS), node.kill

    def _stop(self) -> None:
        if (node := self._victim()) is not None:
            self._halt(node, STOPPED_S)

    def _stop_at_send(self) -> None:
        if (node := self._victim()) is not None:
            point = self._chance.pick(POINTS)
            node.armed_point, node.at_point = point, lambda: self._halt(node, STOPPED_BEYOND_TTL_S)

    def _halt(self, node: SimulatedNode, span_s: tuple[float, float]) -> None:
        node.halt()
        self._for_a_while(span_s, node.go_on)

    def _retire(self) -> None:
        if (node := self._victim()) is not None:
            node.retire()

    # -- storage and time

    def _refuse_commits(self) -> None:
        if (node := self._victim()) is not None and (store := node.store) is not None:
            store.refusing = True
            self._for_a_while(REFUSING_S, lambda: setattr(store, "refusing", False))

    def _leave_commit_unknown(self) -> None:
        if (node := self._victim()) is not None and node.store is not None:
            node.store.armed = self._chance.pick((AtCommit.UNKNOWN_LANDED, AtCommit.UNKNOWN_NOT))

    def _tear_commit(self) -> None:
        if (node := self._victim()) is not None:
            if self._chance.hits(0.5):
                node.disk.fail_write()
            else:
                node.disk.fail_sync()

    def _step_wall(self) -> None:
        clock = self._world.host_clock
        clock.set_off(int(self._chance.pick(STEPS_S) * 1e9))
        self._for_a_while(STEPPED_S, lambda: clock.set_off(0))


def _noted(met: asyncio.Future[None]) -> None:
    if not met.done():
        met.set_result(None)
