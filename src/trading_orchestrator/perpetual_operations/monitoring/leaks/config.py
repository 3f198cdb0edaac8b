"""Settings of MemoryLeakDetector. TOML: `[perpetual_operations.leaks]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class LeaksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When memory that only grows is a leak, and what is done about it. The limit is `resources.node_memory_bytes`.

    windows_s: growth is looked for over each of these; within a window of two hours the limit must be ten windows
        near, because what is slower than that can wait for a longer look. Over a day, today must lie above yesterday.
    grown_bytes: less growth than this in a window is nothing.
    sureness: drift over what chance would do, in standard deviations; 4.5 keeps a random walk of two days quiet.
    trace_s: how long allocations are traced, twice; longer sees slower leaks and slows the program for longer.
    trace_lag_s: tracing ends at once when the event loop comes later than this.
    retrace_s: the shortest time between two confirmations.
    handover_before_s: this long before the limit the node hands over and a fresh process takes its place.
    handover_ratio: of the limit at which it hands over whatever the forecast says.
    """

    enabled: bool = True
    windows_s: tuple[Annotated[float, Meta(ge=5)], ...] = (60.0, 900.0, 7200.0, 93_600.0)
    grown_bytes: Annotated[int, Meta(ge=0)] = 2_000_000
    sureness: Annotated[float, Meta(gt=0)] = 4.5
    trace_s: Annotated[float, Meta(gt=0, le=120)] = 5.0
    trace_lag_s: Annotated[float, Meta(gt=0)] = 0.1
    retrace_s: Annotated[float, Meta(gt=0)] = 900.0
    handover_before_s: Annotated[float, Meta(ge=0)] = 600.0
    handover_ratio: Annotated[float, Meta(gt=0, le=1)] = 0.9
