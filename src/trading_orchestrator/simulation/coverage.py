"""Which fault has met which order state: the table that shows what a simulation has tried, and what it never did."""

from __future__ import annotations

from collections.abc import Mapping

from trading_orchestrator.simulation.faults import CAN_MEET, FaultKind
from trading_orchestrator.trading.orders.life import At

Cell = tuple[FaultKind, At]


class Coverage:
    """Counts of meetings; add those of several runs together."""

    def __init__(self) -> None:
        self.met: dict[Cell, int] = {}

    def meet(self, kind: FaultKind, state: At, times: int = 1) -> None:
        self.met[kind, state] = self.met.get((kind, state), 0) + times

    def add(self, met: Mapping[Cell, int]) -> None:
        """Count another run's meetings, too."""
        for (kind, state), times in met.items():
            self.meet(kind, state, times)

    def unreached(self) -> list[Cell]:
        """Return the pairs that can meet and have not."""
        return [
            (kind, state)
            for kind in FaultKind
            for state in At
            if state in CAN_MEET[kind] and not self.met.get((kind, state))
        ]

    def table(self) -> list[str]:
        """Return the lines of the table: one a fault, one column a state, `·` where they cannot meet."""
        states = [state for state in At if any(state in states for states in CAN_MEET.values())]
        lines = [f"{'fault':<18}" + "".join(f"{state.value:>18}" for state in states)]
        for kind in FaultKind:
            cells = [self._cell(kind, state) for state in states]
            lines.append(f"{kind.name.lower():<18}" + "".join(f"{cell:>18}" for cell in cells))
        return lines

    def _cell(self, kind: FaultKind, state: At) -> str:
        count = self.met.get((kind, state), 0)
        return f"{count:,}" if count or state in CAN_MEET[kind] else "·"
