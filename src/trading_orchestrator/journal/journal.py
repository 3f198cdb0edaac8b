"""The journal as a node sees it: append, tail and fold; typed bodies are the callers' own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from trading_orchestrator.storage.ports import Fact, FactStore, Fence, NewFact, Put

S = TypeVar("S")

PAGE_FACTS = 500
WAIT_S = 1.0


@dataclass(frozen=True)
class Folded(Generic[S]):
    """A state and the pos it stands at: the fold goes on from there."""

    state: S
    pos: int


class Journal:
    """A store bound to the name of the node that writes. Use from one event loop."""

    def __init__(self, store: FactStore, node: str) -> None:
        self.store = store
        self.node = node

    async def append(
        self, facts: Sequence[NewFact], *, fence: Fence | None = None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        """Write facts and their rows atomically and durably (FactStore.append, with its errors)."""
        return await self.store.append(facts, node=self.node, fence=fence, puts=puts)

    async def tail(self, stream: str | None = None, *, after_pos: int = 0) -> AsyncIterator[Fact]:
        """Yield every fact after the position, of one stream when named, then live ones, without end.

        Resume with the pos of the last fact handled. Facts of other processes arrive within 50 ms.
        """
        while True:
            newest = await self._newest(after_pos)
            page = await self.store.read(stream=stream, after_pos=after_pos, limit=PAGE_FACTS)
            for fact in page:
                yield fact
                after_pos = fact.pos
            if len(page) < PAGE_FACTS:
                # The page was read after `newest` was: nothing of this stream lies between.
                after_pos = max(after_pos, newest)
                await self.store.wait_change(after_pos, WAIT_S)

    async def fold(
        self,
        stream: str | None,
        initial: S,
        apply: Callable[[S, Fact], S],
        *,
        after_pos: int = 0,
        kinds: Sequence[str] = (),
    ) -> Folded[S]:
        """Return the state after every fact that is there now, and the pos of the last one.

        Cost: one read per 500 facts; `apply` runs on the loop, so keep it under 20 µs a fact.
        """
        state = initial
        while page := await self.store.read(stream=stream, after_pos=after_pos, limit=PAGE_FACTS, kinds=kinds):
            for fact in page:
                state = apply(state, fact)
            after_pos = page[-1].pos
        return Folded(state, after_pos)

    async def _newest(self, otherwise: int) -> int:
        last = await self.store.read_before(before_pos=None, limit=1)
        return last[0].pos if last else otherwise
