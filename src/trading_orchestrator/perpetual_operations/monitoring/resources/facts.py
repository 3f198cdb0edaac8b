"""What a node says of what it gives up, and the row that lets others end it when the node is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.storage.ports import FactStore, NewFact, Put

STREAM = "cluster"
GIVEN_UP = "load_given_up"
ROWS_MAX = 200


class LoadMoved(msgspec.Struct, frozen=True):
    """The body of `load.shed`, `load.shed_again`, `load.shed_failed` and `load.restored`: one step.

    because: what was short.
    """

    node: str
    step: str
    resource: str
    used: float
    limit: float
    says: str
    because: str = ""


class LoadEased(msgspec.Struct, frozen=True):
    """The body of `load.eased`: nothing is given up for this resource on this node any more."""

    kind: ClassVar[str] = "load.eased"
    node: str
    resource: str
    says: str


class GivenUp:
    """Writes these facts, each with the row that says for which resource a node gives something up.

    The stream needs no lease: each node speaks of itself, and whoever keeps house of the dead.
    """

    def __init__(self, store: FactStore, *, node: str) -> None:
        self._store = store
        self._node = node

    async def tell(self, kind: str, body: object) -> None:
        """Append one fact. Raises whatever the store raises."""
        await self._store.append([NewFact(STREAM, kind, body)], node=self._node, fence=None, puts=_puts(kind, body))

    async def end_for_the_dead(self, is_gone: Callable[[str], bool]) -> None:
        """Say of every dead node that it gives nothing up any more. Raises whatever the store raises."""
        for row in await self._store.rows(GIVEN_UP, limit=ROWS_MAX):
            left = msgspec.json.decode(row.value, type=LoadMoved)
            if left.node != self._node and is_gone(left.node):
                says = f"node {left.node} is gone, and what it gave up with it"
                await self.tell(LoadEased.kind, LoadEased(left.node, left.resource, says))


def _puts(kind: str, body: object) -> Sequence[Put]:
    match body:
        case LoadMoved() if kind == "load.shed":
            return (Put(GIVEN_UP, f"{body.node}/{body.resource}", body),)
        case LoadEased():
            return (Put(GIVEN_UP, f"{body.node}/{body.resource}", None),)
    return ()
