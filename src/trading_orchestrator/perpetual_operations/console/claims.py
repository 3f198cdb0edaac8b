"""Who took which lease when, folded from the facts `lease.claimed` of the stream `cluster`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_orchestrator.storage.ports import Fact, FactStore

STREAM = "cluster"
KIND = "lease.claimed"
PAGE = 1000


class Claim(msgspec.Struct, frozen=True):
    """The body of `lease.claimed` as far as we show it, with the time of the fact."""

    lease: str
    epoch: int
    succession: str = ""
    took_ms: float = 0.0
    at_ns: int = 0


class ClaimLog:
    """The newest claim of each lease; follows the stream from where it stopped. One event loop."""

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._newest: dict[str, Claim] = {}
        self._pos = 0

    async def newest(self) -> Mapping[str, Claim]:
        """Return the newest claim by lease, read to the end of the stream."""
        while facts := await self._store.read(stream=STREAM, after_pos=self._pos, limit=PAGE):
            for fact in facts:
                self._fold(fact)
            self._pos = facts[-1].pos
        return self._newest

    def _fold(self, fact: Fact) -> None:
        if fact.kind == KIND:
            claim = msgspec.json.decode(fact.body, type=Claim)
            self._newest[claim.lease] = msgspec.structs.replace(claim, at_ns=fact.at_ns)
