"""The larger faults: what strikes a node, its disk, its clock or the venue as a whole, by the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.faults import LARGE_KINDS, FaultKind, Rates
from trading_orchestrator.simulation.shaky_store import AtCommit
from trading_orchestrator.simulation.simulated_node import SimulatedNode
from trading_orchestrator.simulation.world import World

NOTHING = Rates()
TURNS_TO_LIVE = 400
POINTS = ("order.deciding", "order.intended", "order.in_flight", "order.answered")
MUTE_S, CUT_S, OUTAGE_S = (0.5, 4.0), (0.1, 2.0), (0.3, 4.0)
STOPPED_S = (0.05, 6.0)
STOPPED_BEYOND_TTL_S = (2.0, 6.0)
REFUSING_S = (0.05, 2.0)
STEPPED_S = (0.5, 3.0)
STEPS_S = (-3600.0, -2.0, -0.2, 0.2, 2.0, 3600.0)


class Mischief:
    """Strikes again and again until it is cancelled; `heal` ends what still lasts."""

    def __init__(self, world: World, rates: Rates, chance: Chance) -> None:
        self._world = world
        self._rates = rates
        self._chance = chance
        self._kinds: Sequence[FaultKind] = [kind for kind, weight in LARGE_KINDS.items() for _ in range(weight)]
        self._healed = False
        self._strikes: Mapping[FaultKind, Callable[[], None]] = {
            FaultKind.MUTE: self._mute,
            FaultKind.CUT: self._cut,
            FaultKind.OUTAGE: self._outage,
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
        }

    async def run(self) -> None:
        """Strike for ever, at chance intervals."""
        if self._rates.apart_s is None:
            return
        while True:
            await self._world.true_clock.sleep(self._chance.between(0.0, 2 * self._rates.apart_s))
            kind = self._chance.pick(self._kinds)
            self._world.judge.struck(kind, "")
            self._strikes[kind]()

    def heal(self) -> None:
        """End every larger fault: nodes live, the disk writes, the venue answers, the clock is right."""
        world = self._world
        self._healed = True
        world.network.is_out = False
        world.host_clock.set_off(0)
        for node in list(world.nodes):
            self._heal_node(node)

    def calm(self) -> None:
        """End what befalls single messages; from here on nothing goes wrong."""
        self._world.network.rates = NOTHING

    def _heal_node(self, node: SimulatedNode) -> None:
        node.armed_point = ""
        node.disk.fail_syncs = node.disk.fail_writes = 0
        if node.store is not None:
            node.store.armed, node.store.refusing = None, False
        self._world.loop.forget_alarm(node.name)
        node.wire.mend()
        node.go_on()

    def _victim(self) -> SimulatedNode | None:
        """Mostly the node that trades, sometimes any."""
        nodes = [node for node in self._world.nodes if not node.is_halted]
        trader = self._world.trader()
        if trader in nodes and self._chance.hits(0.8):
            return trader
        return self._chance.pick(nodes) if nodes else None

    def _for_a_while(self, span_s: tuple[float, float], undo: Callable[[], None]) -> None:
        self._world.network.later(self._chance.between(*span_s), lambda: None if self._healed else undo())

    # -- stream and venue

    def _mute(self) -> None:
        if (node := self._victim()) is not None:
            node.wire.is_mute = True
            self._for_a_while(MUTE_S, node.wire.mend)

    def _cut(self) -> None:
        if (node := self._victim()) is not None:
            node.wire.is_cut = True
            self._for_a_while(CUT_S, node.wire.mend)

    def _outage(self) -> None:
        self._world.network.is_out = True
        self._for_a_while(OUTAGE_S, self._end_outage)

    def _end_outage(self) -> None:
        self._world.network.is_out = False

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
                node.disk.fail_writes = 1
            else:
                node.disk.fail_syncs = 1

    def _step_wall(self) -> None:
        clock = self._world.host_clock
        clock.set_off(int(self._chance.pick(STEPS_S) * 1e9))
        self._for_a_while(STEPPED_S, lambda: clock.set_off(0))
