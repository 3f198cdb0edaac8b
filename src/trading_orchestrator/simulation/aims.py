"""What a seed aims at: pairs of a fault and an order's state, dealt over all seeds or named by whoever misses them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice, product

from trading_orchestrator.errors import Refused
from trading_orchestrator.simulation.coverage import Cell
from trading_orchestrator.simulation.decks import dealt
from trading_orchestrator.simulation.faults import LARGE_KINDS, MESSAGE_KINDS, FaultKind, drawn
from trading_orchestrator.simulation.meetings import must_meet
from trading_orchestrator.trading.orders.life import At

LARGER_A_SEED = 8
"""At most as many larger faults as a short seed meets: the next seed goes on from there."""
MESSAGES_A_SEED = 8
RESTORED_EVERY = 3

NO_STATE = At.NEW
"""What a fault is aimed at that need not meet any state: there is always an order in this one."""


class Aims:
    """The pairs that this seed tries to bring about. Message faults strike the first message that fits, once.

    Args:
        named: aim at these and at nothing else; else every seed is dealt its own.
    """

    def __init__(self, seed: int, named: Sequence[Cell] = ()) -> None:
        of_messages = named or islice(dealt(_pairs(MESSAGE_KINDS), "messages", seed * MESSAGES_A_SEED), MESSAGES_A_SEED)
        self._waiting: dict[At, list[FaultKind]] = {}
        for kind, state in of_messages:
            if kind in MESSAGE_KINDS:
                self._waiting.setdefault(state, []).append(kind)
        self._pushed: list[tuple[str, FaultKind]] = []
        self._kinds = dealt(drawn(LARGE_KINDS), "larger", seed * LARGER_A_SEED)
        self._states = {kind: dealt(_states(kind), kind.name, seed) for kind in (*LARGE_KINDS, FaultKind.RESTORED)}
        self._named = [cell for cell in named if cell[0] in LARGE_KINDS]
        self.is_named = bool(named)
        self.restored = self._restored(seed, named)

    def _restored(self, seed: int, named: Sequence[Cell]) -> At | None:
        """Return in which state's presence the journal is put back; None in worlds that know no such thing."""
        if named:
            return next((state for kind, state in named if kind is FaultKind.RESTORED), None)
        row = dealt(_states(FaultKind.RESTORED), FaultKind.RESTORED.name, seed // RESTORED_EVERY)
        return next(row) if seed % RESTORED_EVERY == 0 else None

    # -- faults of messages

    def of_message(self, on: str, kinds: Collection[FaultKind], state: At | None) -> FaultKind | None:
        """Return which of these kinds has to strike a message of an order in this state, if one has."""
        pushed = next((push for push in self._pushed if push[0] == on), None)
        if pushed is not None:
            self._pushed.remove(pushed)
            return pushed[1]
        waiting = self._waiting.get(state) if state is not None else None
        return _take(waiting, kinds) if waiting else None

    @property
    def wants_messages(self) -> bool:
        return bool(self._pushed) or any(self._waiting.values())

    def push(self, on: str, kind: FaultKind, times: int = 1) -> None:
        """Let this strike the next messages of this sort: what it causes is what is aimed at."""
        self._pushed += [(on, kind)] * times

    def waited_for(self) -> list[Cell]:
        """Return a pair of each state, and of the kind that needs most, for which some fault of a message waits."""
        hard = FaultKind.FORGOTTEN
        waiting = {state: kinds for state, kinds in self._waiting.items() if kinds}
        return [(hard if hard in kinds else kinds[0], state) for state, kinds in waiting.items()]

    def forget(self) -> None:
        """Aim at nothing any more."""
        self._waiting.clear()
        self._pushed.clear()

    # -- larger faults

    def next_larger(self) -> Cell:
        """Return the next larger fault, and whose presence it waits for."""
        if self._named:
            return self._named.pop(0)
        kind = next(self._kinds)
        return kind, next(self._states[kind])

    def missed(self, cell: Cell) -> None:
        """It waited in vain: once more, later, if somebody named it."""
        if self.is_named and cell[0] in LARGE_KINDS:
            self._named.append(cell)


def read_aim(text: str) -> Cell:
    """Return the pair that a user names as FAULT:STATE.

    Raises:
        Refused: there is no such fault or no such state.
    """
    fault, _, state = text.partition(":")
    kinds, states = {kind.name.lower(): kind for kind in FaultKind}, {state.value: state for state in At}
    if fault not in kinds or state not in states:
        raise Refused(f"expected FAULT:STATE as the table names them (ghost:unknown), was `{text}`")
    return kinds[fault], states[state]


def told(cell: Cell) -> str:
    """Return the pair as `read_aim` reads it."""
    return f"{cell[0].name.lower()}:{cell[1].value}"


def _pairs(kinds: Collection[FaultKind]) -> list[Cell]:
    return [pair for pair in product(kinds, At) if must_meet(*pair)]


def _states(kind: FaultKind) -> list[At]:
    return [state for state in At if must_meet(kind, state)] or [NO_STATE]


def _take(waiting: list[FaultKind], kinds: Collection[FaultKind]) -> FaultKind | None:
    found = next((kind for kind in waiting if kind in kinds), None)
    if found is not None:
        waiting.remove(found)
    return found
