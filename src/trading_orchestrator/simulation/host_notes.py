"""Notes of emergency cancels on the simulated host: they outlive the process that wrote them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.journal.emergency_notes import EmergencyNotes, Noted
from trading_orchestrator.trading.emergency import EmergencyNote


class HostNotes(EmergencyNotes):
    """One node's view of every node's slots.

    Args:
        slots: of the whole host, by node and slot.
        heard: called with each order whose cancel is noted.
    """

    def __init__(self, slots: dict[tuple[str, int], bytes], node: str, heard: Callable[[str], object]) -> None:
        self._slots = slots
        self._node = node
        self._heard = heard
        self._next = 0

    @property
    def node(self) -> str:
        return self._node

    def note(self, record: bytes, *, kept: int = 0) -> None:
        self._next += 1
        self._slots[self._node, self._next] = record
        self._heard(msgspec.msgpack.decode(record, type=EmergencyNote).cl_ord_id)

    def noted(self) -> Sequence[Noted]:
        return [Noted(node, slot, record) for (node, slot), record in sorted(self._slots.items())]

    def strike(self, noted: Noted) -> None:
        self._slots.pop((noted.node, noted.slot), None)
