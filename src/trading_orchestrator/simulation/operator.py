"""The people who run the desks: they ask for modes and explain what moved, by facts as the commands write them."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.storage.ports import FactStore, NewFact
from trading_orchestrator.trading.mode_requests import adjustment_requested, mode_requested
from trading_orchestrator.trading.operator_acts import ArmingRequested, WriteOffRequested, requested

NAME = "operator"
REASON = "simulated"


class Operator:
    """Writes into the journal as `desk kill` and its like do. What a restored journal lost is asked again by `repeat`.

    Concurrency: the world's strand.
    """

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._explained: list[tuple[int, NewFact]] = []

    async def ask(self, desk: str, mode: str) -> None:
        """Ask a desk for a mode."""
        await self._append(mode_requested(desk, mode, by=NAME, reason=REASON))

    async def explain(self, desk: str, asset: str, qty: Decimal) -> None:
        """Tell a desk why its account holds more of an asset, or less."""
        fact = adjustment_requested(desk, asset, qty, by=NAME, reason=REASON)
        self._explained.append((await self._append(fact), fact))

    async def write_off(self, desk: str, cl_ord_id: str) -> None:
        """Tell a desk that a quarantined order is nowhere."""
        await self._append(requested(WriteOffRequested(desk, cl_ord_id, NAME, REASON)))

    async def arm(self, desk: str, *, armed: bool) -> None:
        """Give a desk its permit for real money, or take it away."""
        await self._append(requested(ArmingRequested(desk, armed, NAME, REASON)))

    async def repeat(self, store: FactStore, lost_after_pos: int) -> None:
        """Go on with the restored journal, and explain again what its copy did not hold yet."""
        self._store = store
        lost = [fact for pos, fact in self._explained if pos > lost_after_pos]
        self._explained = [(pos, fact) for pos, fact in self._explained if pos <= lost_after_pos]
        for fact in lost:
            self._explained.append((await self._append(fact), fact))

    async def _append(self, fact: NewFact) -> int:
        written = await self._store.append([fact], node=NAME, fence=None)
        return written[-1].pos
