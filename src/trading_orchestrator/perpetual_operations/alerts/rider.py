"""What rides along in the engine's transaction: other folds over `ops/alerts`, each with decisions of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from trading_orchestrator.storage.ports import Put

Body = Any
"""A msgspec struct with a `kind`: what becomes a fact."""


class Rider(Protocol):
    """One fold beside the engine's. What it decides is durable together with what the engine decides, or not at all."""

    @property
    def name(self) -> str:
        """Return the name its snapshot is kept under."""
        ...

    def load(self, kind: str, body: bytes) -> None:
        """Take one stored fact in; kinds of others are passed over."""
        ...

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        """Return what follows from what was decided in this turn, and from the time."""
        ...

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do even if nothing happens."""
        ...

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        """Return the projection rows that follow from facts about to be appended."""
        ...

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        """Return facts that make this state when they are loaded into a new one."""
        ...


class KeptFact(msgspec.Struct, frozen=True, array_like=True):
    """A fact inside a snapshot."""

    kind: str
    body: msgspec.Raw


def kept(bodies: Sequence[Body]) -> list[KeptFact]:
    """Return the bodies as a snapshot row can hold them."""
    return [KeptFact(body.kind, msgspec.Raw(msgspec.json.encode(body))) for body in bodies]
