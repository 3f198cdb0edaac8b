"""The emergency area of an incarnation file: fixed slots in room that was set aside, so that a full disk stops none.

A slot's first byte says whether it is in use and is written last: a death in between leaves the slot free. It is
cleared by whoever journaled the record, the process itself or, through the file, a successor.
"""

from __future__ import annotations

import struct
from mmap import mmap

from trading_orchestrator.errors import Refused

EMERGENCY_AT = 4096
SIZE_BYTES = 65536
SLOT_BYTES = 192
SLOTS = (SIZE_BYTES - EMERGENCY_AT) // SLOT_BYTES
_HEAD = struct.Struct(">BH")
_FREE, _NOTED = b"\x00", b"\x01"
RECORD_BYTES_MAX = SLOT_BYTES - _HEAD.size


class EmergencyAreaFull(Refused):
    """No slot is free, or the record is too long: what it is about may not be done. Facts: slots, bytes."""

    code = "incarnation.emergency_area_full"


def write(area: mmap, record: bytes, *, kept: int = 0) -> None:
    """Put the record into the first free slot.

    Args:
        kept: so many slots have to be left for records that stand for many.

    Raises:
        EmergencyAreaFull: nothing was written.
    """
    slot = next((slot for slot in range(SLOTS - kept) if area[_at(slot) : _at(slot) + 1] == _FREE), None)
    if slot is None or len(record) > RECORD_BYTES_MAX:
        raise EmergencyAreaFull(
            f"expected one of {SLOTS - kept} slots free and at most {RECORD_BYTES_MAX} bytes, was {len(record)} bytes",
            slots=SLOTS,
            bytes=len(record),
        )
    at = _at(slot)
    area[at + _HEAD.size : at + _HEAD.size + len(record)] = record
    area[at + 1 : at + _HEAD.size] = _HEAD.pack(0, len(record))[1:]
    area[at : at + 1] = _NOTED


def read(data: bytes) -> list[tuple[int, bytes]]:
    """Return the slots in use of a whole incarnation file, with their records."""
    found = []
    for slot in range(SLOTS):
        at = _at(slot)
        if data[at : at + 1] == _NOTED:
            _, size = _HEAD.unpack_from(data, at)
            found.append((slot, data[at + _HEAD.size : at + _HEAD.size + size]))
    return found


def clearing(slot: int) -> tuple[int, bytes]:
    """Return where to write what, to free the slot."""
    return _at(slot), _FREE


def _at(slot: int) -> int:
    return EMERGENCY_AT + slot * SLOT_BYTES
