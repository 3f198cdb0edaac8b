"""One measurement of host and process."""

from __future__ import annotations

import msgspec


class LoopReadings(msgspec.Struct, frozen=True):
    """What only the event loop itself can tell of the second that passed.

    loop_lag_s: the longest time the loop came late. gc_pause_s: the longest collection of garbage.
    """

    loop_lag_s: float = 0.0
    tasks: int = 0
    gc_pause_s: float = 0.0
    gc_collections: int = 0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Host and process at one moment. CPU ratios: 1.0 is all cores of the host, or one core of the process.

    Rates are per second since the sample before. process_uss_bytes: what ending the process would give back;
    measured once a minute, because it costs 3 ms. clock_step_s: how far the wall clock stepped against the time since
    boot. clock_offset_s: what the kernel still has to correct, None while nothing disciplines the clock.
    gc_collections: since the process began.
    """

    at_ns: int
    host_cpu_ratio: float
    host_load_1m: float
    host_memory_ratio: float
    host_memory_available_bytes: int
    swap_used_bytes: int
    disk_used_ratio: float
    disk_free_bytes: int
    inodes_free_ratio: float
    disk_read_bytes_s: float
    disk_write_bytes_s: float
    net_received_bytes_s: float
    net_sent_bytes_s: float
    clock_step_s: float
    clock_offset_s: float | None
    process_cpu_ratio: float
    process_rss_bytes: int
    process_uss_bytes: int
    process_threads: int
    process_descriptors: int
    process_tasks: int
    gc_pause_s: float
    gc_collections: int
    loop_lag_s: float
