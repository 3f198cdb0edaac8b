"""What the keeper tells a node at its start: over standard input, never in arguments that others can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class NodeSpec(msgspec.Struct, frozen=True):
    """The start message of one node. Descriptors are inherited; `settings` is the merged configuration.

    `looks`: it looks through the journal when it is alone; its keeper has just done so before a first start.
    `desks`: those it hosts; None hosts all. `homes`: by desk, the slot that has it to itself; others only stand by.
    """

    node: str
    settings: dict[str, Any]
    source: str
    listen_fd: int
    hold_dir: str | None = None
    desks: tuple[str, ...] | None = None
    serves_console: bool = True
    homes: dict[str, str] = {}
    looks: bool = True

    def hosts(self, desk: str) -> bool:
        """Return whether this node may trade the desk."""
        return self.desks is None or desk in self.desks


def incarnations_dir(data_dir: Path) -> Path:
    """Return where the nodes of a data directory prove that they live."""
    return data_dir / "incarnations"
