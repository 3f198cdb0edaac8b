"""Which fault has met which order state: the table that shows what a simulation has tried, and what it never did."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.simulation.meetings import must_meet, why_never
from trading_orchestrator.trading.orders.life import At

Cell = tuple[FaultKind, At]


class Coverage:
    """Counts of meetings, and of the faults that met nobody too; add those of several runs together."""

    def __init__(self) -> None:
        self.met: dict[Cell, int] = {}
        self.faults = 0

    def meet(self, kind: FaultKind, state: At, times: int = 1) -> None:
        self.met[kind, state] = self.met.get((kind, state), 0) + times

    def add(self, met: Mapping[Cell, int]) -> None:
        """Count another run's meetings, too."""
        for (kind, state), times in met.items():
            self.meet(kind, state, times)

    def unreached(self) -> list[Cell]:
        """Return the pairs that have to meet and have not."""
        demanded = [pair for pair in product(FaultKind, At) if must_meet(*pair)]
        return [pair for pair in demanded if not self._met(*pair)]

    def kinds_unreached(self) -> list[Cell]:
        """Return a pair of each kind that has met no order at all, and only such."""
        met = {kind for kind, _ in self.met}
        least = ((kind, next(state for state in At if must_meet(kind, state))) for kind in FaultKind)
        return [(kind, state) for kind, state in least if kind not in met]

    def impossible(self) -> list[tuple[FaultKind, At, str]]:
        """Return the pairs that have met although we hold that they cannot, with our reason: one of us is wrong."""
        return [(kind, state, why) for kind, state in self.met if (why := why_never(kind, state))]

    def table(self) -> list[str]:
        """Return the lines of the table: one a fault, one column a state; `·` where none is demanded."""
        lines = [f"{'fault':<18}" + "".join(f"{_HEADS[state]:>13}" for state in At)]
        for kind in FaultKind:
            cells = [self._cell(kind, state) for state in At]
            lines.append(f"{kind.name.lower():<18}" + "".join(f"{cell:>13}" for cell in cells))
        return lines

    def _met(self, kind: FaultKind, state: At) -> int:
        return self.met.get((kind, state), 0)

    def _cell(self, kind: FaultKind, state: At) -> str:
        return f"{self._met(kind, state):,}" if self._met(kind, state) or must_meet(kind, state) else "·"


_HEADS = {state: "part. filled" if state is At.PARTIALLY_FILLED else state.value.replace("_", " ") for state in At}
