"""What verification asks of an engine: every fact in order, read without a writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from trading_orchestrator.storage.ports import Fact, Head


class Bounds(msgspec.Struct, frozen=True):
    """Every stream's head and the newest pos, as of one moment."""

    heads: Sequence[Head]
    last_pos: int


class FactScan(Protocol):
    """A journal opened for reading only. Blocking: use on a thread or in a command.

    Raises, from every method:
        JournalCorrupt: the engine itself cannot read the place.
    """

    def bounds(self) -> Bounds:
        """Return where the journal ends now."""
        ...

    def facts(self, after_pos: int, limit: int) -> Sequence[Fact]:
        """Return up to `limit` facts with pos > `after_pos`, ascending, in one short read."""
        ...

    def damage(self) -> str | None:
        """Return the engine's own first complaint about its file, None when it has none."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
