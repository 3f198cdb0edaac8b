"""The pulse: a small file by which the system says that it makes progress, and the watchdog that it watches."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

import msgspec

PULSE_FILE = "pulse.json"
WATCH_FILE = "watchdog.json"


class State(Enum):
    """WELL is progress; UNWELL is life without it; STOPPED is an end in order."""

    WELL = "well"
    UNWELL = "unwell"
    STOPPED = "stopped"


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life. Times are nanoseconds since boot `boot_id`, but for `at_wall_ns`, which is for people.

    well_boot_ns: when progress was last made; what else is in here only explains a silence.
    """

    node: str
    state: State
    says: str
    boot_id: str
    at_boot_ns: int
    at_wall_ns: int
    well_boot_ns: int


def write_pulse(path: Path, pulse: Pulse) -> None:
    """Replace the file as a whole; not synced, because after a power cut it means nothing.

    Raises:
        OSError: the disk did not take it.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(msgspec.json.encode(pulse))
    beside.replace(path)


def read_pulse(path: Path) -> Pulse | None:
    """Return the last pulse; None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pulse)
    except (OSError, msgspec.DecodeError):
        return None
