"""No fact outgrows what the journal takes: one that would is written as several that make the same state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f

BYTES_A_FACT = 400_000  # a fact may hold 1 MB
NAMES_A_FACT = 10_000  # fingerprints of 16 digits; 10,000 ids of groups with long labels are checked by their bytes
ENTRIES_A_FACT = 100

T = TypeVar("T")


def within_size(body: f.Body) -> Iterator[f.Body]:
    """Yield facts that fold to the same state as `body`, each of a size that the journal takes."""
    parted = _PARTED.get(type(body))
    if parted is None:
        yield body
    else:
        yield from parted(body)


def in_lots(items: Sequence[T], count_max: int) -> Iterator[tuple[T, ...]]:
    """Yield the items in order, at most so many at once, and in JSON at most 400 kB unless one alone is larger."""
    for first in range(0, len(items), count_max):
        together = items[first : first + count_max]
        if len(msgspec.json.encode(together)) <= BYTES_A_FACT:  # nearly always: one look is cheaper than one at each
            yield tuple(together)
        else:
            yield from _by_size(together)


def _by_size(items: Sequence[T]) -> Iterator[tuple[T, ...]]:
    lot: list[T] = []
    size = 0
    for item in items:
        item_size = len(msgspec.json.encode(item))
        if lot and size + item_size > BYTES_A_FACT:
            yield tuple(lot)
            lot, size = [], 0
        lot.append(item)
        size += item_size
    if lot:
        yield tuple(lot)


def _lots_of(field: str, count_max: int) -> Callable[[Any], Iterator[f.Body]]:
    def parted(body: Any) -> Iterator[f.Body]:
        for lot in list(in_lots(getattr(body, field), count_max)) or [()]:
            yield msgspec.structs.replace(body, **{field: lot})

    return parted


def _due(body: f.NotificationDue) -> Iterator[f.Body]:
    kept = {name: getattr(body, name)[:NAMES_A_FACT] for name in ("firing", "resolved", "settled")}
    yield msgspec.structs.replace(body, **kept)
    empty = f.NotificationListed(notification_id=body.notification_id)
    for name in kept:
        for more in _names(getattr(body, name)[NAMES_A_FACT:]):
            yield msgspec.structs.replace(empty, **{name: more})


def _flushed(body: f.GroupFlushed) -> Iterator[f.Body]:
    first, *others = list(_names(body.settled)) or [()]
    yield msgspec.structs.replace(body, settled=first)
    for more in others:
        yield msgspec.structs.replace(body, settled=more, goes_on=True)


def _swept(body: f.Swept) -> Iterator[f.Body]:
    if len(body.groups) + len(body.alerts) + len(body.told) <= ENTRIES_A_FACT:
        yield body
        return
    empty = f.Swept(at_ns=body.at_ns, groups=(), alerts=(), silences=(), told=())
    for name in ("groups", "alerts", "silences", "told"):
        for lot in in_lots(getattr(body, name), NAMES_A_FACT):
            yield msgspec.structs.replace(empty, **{name: lot})


def _names(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    left = iter(names)
    while lot := tuple(islice(left, NAMES_A_FACT)):
        yield lot


_PARTED: dict[type[f.Body], Callable[[Any], Iterator[f.Body]]] = {
    f.Received: _lots_of("entries", ENTRIES_A_FACT),
    f.GroupsOpened: _lots_of("groups", ENTRIES_A_FACT),
    f.NotificationDue: _due,
    f.NotificationListed: _lots_of("groups", NAMES_A_FACT),
    f.GroupFlushed: _flushed,
    f.Swept: _swept,
    f.EngineStarted: _lots_of("held", NAMES_A_FACT),
    f.FlapsNoted: _lots_of("noted", NAMES_A_FACT),
}
