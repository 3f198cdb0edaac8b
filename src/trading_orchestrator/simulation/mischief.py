"""The larger faults: what strikes a node, its disk, its clock, the venue as a whole, or comes from people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from trading_orchestrator.simulation.account import Account
from trading_orchestrator.simulation.aims import Aims
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.faults import FaultKind, Rates
from trading_orchestrator.simulation.restore import take_copy
from trading_orchestrator.simulation.shaky_store import AtCommit
from trading_orchestrator.simulation.simulated_node import SimulatedNode
from trading_orchestrator.simulation.wire import Wire
from trading_orchestrator.simulation.world import World
from trading_orchestrator.trading.orders.life import At

NOTHING = Rates()
TURNS_TO_LIVE = 400
POINTS = (
    *("desk.beginning", "desk.reconciled"),
    *("order.deciding", "order.intended", "order.in_flight", "order.answered"),
    *("cancel.deciding", "cancel.intended", "cancel.in_flight", "cancel.answered"),
    *("trade.booking", "trade.booked"),
)
MUTE_S, CUT_S, OUTAGE_S = (0.5, 4.0), (0.1, 2.0), (0.3, 4.0)
BLIND_S, HIDDEN_BLIND_S, HIDDEN_QUIET_S = (0.5, 3.0), (4.8, 6.0), 4.5
"""To hide orders takes longer than a quarantine takes to begin; then the stream speaks first."""
STOPPED_S = (0.05, 6.0)
STOPPED_BEYOND_TTL_S = (2.0, 6.0)
REFUSING_S = (0.05, 2.0)
STEPPED_S = (0.5, 3.0)
STEPS_S = (-3600.0, -2.0, -0.2, 0.2, 2.0, 3600.0)
HALTED_S, REVOKED_S, DISARMED_S = (0.3, 1.5), (0.1, 0.8), (0.2, 0.6)
MODE_S, KILLED_S = (0.2, 1.5), (0.5, 2.0)
MODES = ("halted", "draining", "reduce_only")
EXPLAINED_S = (1.0, 6.0)
COPIED_S, PUT_BACK_S = (1.0, 12.0), (0.5, 8.0)
LIFTED_S = 0.5
UNTOLD_S = (0.3, 0.6)
HIDDEN, HIDDEN_AFTER_S, STILL_AFTER_S = 4, 0.6, 0.3
AIMED_RATIO, AIM_S, AIM_AT_NAMED_S = 0.5, 1.5, 8.0
AIMED_TURNS_TO_LIVE = 20
HAND_CANCELED_AFTER_S = 0.35
"""Within a ban, so that cancels which wait for its end find their orders ended."""


class Mischief:
    """Strikes again and again until it is cancelled; `heal` ends what still lasts."""

    def __init__(self, world: World, rates: Rates, chance: Chance, aims: Aims) -> None:
        self._world = world
        self._rates = rates
        self._chance = chance
        self._aims = aims
        self._turns_to_live = TURNS_TO_LIVE
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
            FaultKind.BLIND: self._blind,
            FaultKind.HALTED: self._halt_symbol,
            FaultKind.KEY_REVOKED: self._revoke_key,
            FaultKind.HUMAN_ORDERED: self._order_by_hand,
            FaultKind.HUMAN_CANCELED: self._cancel_by_hand,
            FaultKind.TRANSFERRED: self._transfer,
            FaultKind.MODE_ASKED: self._ask_mode,
            FaultKind.KILL_SWITCHED: self._switch_kill,
            FaultKind.DISARMED: self._disarm,
        }

    async def run(self) -> None:
        """Strike for ever, at chance intervals."""
        if self._rates.apart_s is None:
            return
        for account in self._world.accounts:
            account.network.aims = self._aims
        while True:
            await self._world.true_clock.sleep(self._chance.between(0.0, 2 * self._rates.apart_s))
            for cell in self._aims.waited_for() if self._aims.is_named else ():
                self._provoke(*cell)
            kind, state = self._aims.next_larger()
            account = self._chance.pick(self._world.accounts)
            if self._aims.is_named:
                self._provoke(kind, state)
            if self._aims.is_named or self._chance.hits(AIMED_RATIO):
                account = await self._order_in(state, kind) or account
            if kind in self._strikes:
                self._world.struck(kind)
                self._strikes[kind]()
            else:
                self._world.struck(kind, account)
                self._strikes_one[kind](account)

    async def _order_in(self, state: At, kind: FaultKind) -> Account | None:
        """Wait for an order in this state, for a while: some states last for milliseconds. Return whose it is."""
        found: asyncio.Future[Account | None] = self._world.loop.create_future()
        late = self._world.loop.call_later(AIM_AT_NAMED_S if self._aims.is_named else AIM_S, _noted, found, None)
        looks = [(account.judge.on_order, partial(_look, found, account, state)) for account in self._world.accounts]
        for listeners, look in looks:
            listeners.append(look)
        for account in self._world.accounts:
            if state in account.judge.states_to_meet():
                _noted(found, account)
        try:
            account_met = await found
        finally:
            late.cancel()
            for listeners, look in looks:
                listeners.remove(look)
        if account_met is None:
            self._aims.missed((kind, state))
        self._turns_to_live = AIMED_TURNS_TO_LIVE if account_met is not None else TURNS_TO_LIVE
        return account_met

    def _provoke(self, kind: FaultKind, state: At) -> None:
        """Bring about what leads to this pair, if it does not come by itself every second."""
        account = self._chance.pick(self._world.accounts)
        if kind is FaultKind.FORGOTTEN:
            self._tell_nothing_of_some(account)
        if state is At.REJECTED:
            self._aims.push("submit", FaultKind.REFUSED, 3)
        elif state is At.ABANDONED:
            self._aims.push("submit", FaultKind.LOST, 3)
        elif state is At.QUARANTINED and not account.network.is_blind:
            self._hide(account)
        elif state is At.CANCELED:
            self._aims.push("submit", FaultKind.BANNED)
            self._world.later(HAND_CANCELED_AFTER_S, self._cancel_by_hand, account)

    async def restore(self) -> None:
        """In some worlds, put the journal back once: to a copy some seconds old."""
        state = self._aims.restored
        if self._rates.apart_s is None or state is None:
            return
        sleep = self._world.true_clock.sleep
        await sleep(self._chance.between(*COPIED_S))
        while not all(account.judge.book.is_opened for account in self._world.accounts):
            await sleep(LIFTED_S)
        copied_pos = take_copy(self._world.path)
        await sleep(self._chance.between(*PUT_BACK_S))
        await self._order_in(state, FaultKind.RESTORED)
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
            network = account.network
            network.is_out = network.is_blind = network.is_quiet = False
            network.is_halted = network.is_revoked = account.market.is_still = False
            account.is_disarmed = False
        world.host_clock.set_off(0)
        await self._let_go_on()
        for node in list(world.nodes):
            self._heal_node(node)

    async def calm(self) -> None:
        """End what befalls single messages, and the human's day; from here on nothing goes wrong."""
        await self._let_go_on()
        self._aims.forget()
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

    def _blind(self, account: Account) -> None:
        self._blind_for(account, quiet_s=BLIND_S, blind_s=BLIND_S)

    def _blind_for(self, account: Account, *, quiet_s: tuple[float, float], blind_s: tuple[float, float]) -> None:
        network = account.network
        network.is_blind = network.is_quiet = True
        self._for_a_while(quiet_s, lambda: setattr(network, "is_quiet", False))
        self._for_a_while(blind_s, lambda: setattr(network, "is_blind", False))

    def _tell_nothing_of_some(self, account: Account) -> None:
        """Let some orders arrive, and fill perhaps, of which neither an answer nor a report tells."""
        account.network.is_quiet = True
        self._aims.push("submit", FaultKind.GHOST, HIDDEN)
        self._for_a_while(UNTOLD_S, lambda: setattr(account.network, "is_quiet", False))

    def _hide(self, account: Account) -> None:
        """Let orders rest at the venue that nobody can find, long enough for a quarantine; then the market moves on.

        Some of them are to be canceled: nobody answered, and a replica knew nothing of them.
        """
        self._aims.push("cancel", FaultKind.LOST, HIDDEN)
        self._aims.push("order", FaultKind.LAGGING, HIDDEN)
        self._world.later(HIDDEN_AFTER_S, self._hide_now, account)

    def _hide_now(self, account: Account) -> None:
        if self._healed:
            return
        self._world.struck(FaultKind.BLIND, account)
        self._blind_for(account, quiet_s=(HIDDEN_QUIET_S, HIDDEN_QUIET_S), blind_s=HIDDEN_BLIND_S)
        self._aims.push("submit", FaultKind.GHOST, HIDDEN)
        self._world.later(STILL_AFTER_S, setattr, account.market, "is_still", True)
        self._world.later(HIDDEN_QUIET_S, setattr, account.market, "is_still", False)

    def _halt_symbol(self, account: Account) -> None:
        account.network.is_halted = account.market.is_still = True
        self._for_a_while(HALTED_S, lambda: self._open_symbol(account))

    def _open_symbol(self, account: Account) -> None:
        account.network.is_halted = account.market.is_still = False

    def _revoke_key(self, account: Account) -> None:
        account.network.is_revoked = True
        self._for_a_while(REVOKED_S, lambda: setattr(account.network, "is_revoked", False))

    # -- people

    def _order_by_hand(self, account: Account) -> None:
        if account.judge.book.is_opened:  # before, it is in the opening balances
            account.human.trade()

    def _cancel_by_hand(self, account: Account) -> None:
        account.human.cancel(account.onlooker.to_cancel_by_hand())

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

    def _disarm(self, account: Account) -> None:
        account.is_disarmed = True
        self._world.host.spawn(self._world.operator.arm(account.desk, armed=False))
        self._for_a_while(DISARMED_S, lambda: setattr(account, "is_disarmed", False))

    def _ask_for_a_while(self, account: Account, mode: str, span_s: tuple[float, float]) -> None:
        ask = self._world.operator.ask
        self._world.host.spawn(ask(account.desk, mode))
        self._for_a_while(span_s, lambda: self._world.host.spawn(ask(account.desk, "normal")))

    # -- processes

    def _kill(self) -> None:
        if (node := self._victim()) is not None:
            self._world.loop.after_turns(node.name, self._chance.below(self._turns_to_live), node.kill)

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


def _look(found: asyncio.Future[Account | None], account: Account, wanted: At, state: At) -> None:
    if state is wanted:
        _noted(found, account)


def _noted(found: asyncio.Future[Account | None], account: Account | None) -> None:
    if not found.done():
        found.set_result(account)
