"""Settings of ResourceMonitor. TOML: `[perpetual_operations.resources]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

NODE_MEMORY_BYTES = 1_500_000_000
HOST_SHARE = 0.5
Ratio = Annotated[float, Meta(gt=0, le=1)]


class ResourcesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits, and when load is shed before they are met.

    enabled: off, nothing is shed and nothing is cleaned up.
    host_cpu_ratio, host_memory_ratio: of the whole host; above it a takeover has no room.
    node_memory_bytes: resident memory of one process; a node that nears it hands over before (MemoryLeakDetector).
        None is 1.5 GB for a node, ten times what it needs, and half of the host's memory for a program of yours.
    disk_floor_bytes: kept free on the disk of the data directory; below it the journal itself is in danger.
    descriptors_ratio: of what the process may open.
    loop_lag_s: a loop that comes later than this makes orders wait.
    rises_s, falls_s: pressure lasts so long before a step is taken, ease before it is undone; easing takes longer,
        or the system would swing.
    busy_rises_s: the same for CPU and event loop, where a burst of half a minute is nothing.
    ease_ratio: of a limit, below which it counts as eased.
    log_days, temp_hours: age at which files in `logs/` and `tmp/` of the data directory are removed.
    """

    enabled: bool = True
    host_cpu_ratio: Ratio = 0.9
    host_memory_ratio: Ratio = 0.92
    node_memory_bytes: Annotated[int, Meta(ge=50_000_000)] | None = None
    disk_floor_bytes: Annotated[int, Meta(ge=0)] = 1_000_000_000
    descriptors_ratio: Ratio = 0.8
    loop_lag_s: Annotated[float, Meta(gt=0)] = 0.5
    rises_s: Annotated[float, Meta(gt=0)] = 5.0
    busy_rises_s: Annotated[float, Meta(gt=0)] = 30.0
    falls_s: Annotated[float, Meta(gt=0)] = 60.0
    ease_ratio: Ratio = 0.85
    log_days: Annotated[int, Meta(ge=1)] = 30
    temp_hours: Annotated[int, Meta(ge=1)] = 24

    def memory_limit_bytes(self, *, is_node: bool) -> int:
        """Return what one process may have resident."""
        if self.node_memory_bytes is not None:
            return self.node_memory_bytes
        import psutil  # 20 ms that a command which only reads settings need not wait

        return NODE_MEMORY_BYTES if is_node else int(psutil.virtual_memory().total * HOST_SHARE)
