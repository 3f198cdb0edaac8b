"""How a sample is taken. Blocking: runs on a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import psutil

from trading_orchestrator.perpetual_operations.monitoring.host_clock import HostClock
from trading_orchestrator.perpetual_operations.monitoring.proc_files import (
    disk_bytes,
    memory,
    network_bytes,
    whole_disks,
)
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample

DISKS_EVERY = 60


class Gauge:
    """Takes samples. Use from one thread at a time; the first ratios and rates are zero (they compare two calls)."""

    def __init__(self, data_dir: Path, *, uss_every: int = 60) -> None:
        self._data_dir = data_dir
        self._process = psutil.Process()
        self._uss_every = uss_every
        self._taken = 0
        self._uss_bytes = 0
        self._rates = _Rates()
        self._clock = HostClock()
        self._wall_ahead_ns: int | None = None

    def take(self, at_ns: int, boot_ns: int, loop: LoopReadings) -> Sample:
        """Return a sample; costs about 0.3 ms, and 3 ms when it also measures `uss` (benchmarks/overhead.py)."""
        host, process = memory(), self._process
        existing = str(self._nearest_existing())
        disk, inodes = psutil.disk_usage(existing), os.statvfs(existing)
        rates = self._rates.since_last(boot_ns)
        with process.oneshot():
            if self._taken % self._uss_every == 0:
                self._uss_bytes = int(process.memory_full_info().uss)
            self._taken += 1
            return Sample(
                at_ns=at_ns,
                host_cpu_ratio=psutil.cpu_percent() / 100,
                host_load_1m=psutil.getloadavg()[0],
                host_memory_ratio=round(1 - host.available / host.total, 4),
                host_memory_available_bytes=host.available,
                swap_used_bytes=host.swap_used,
                disk_used_ratio=disk.percent / 100,
                disk_free_bytes=disk.free,
                inodes_free_ratio=inodes.f_favail / inodes.f_files if inodes.f_files else 1.0,
                disk_read_bytes_s=rates[0],
                disk_write_bytes_s=rates[1],
                net_received_bytes_s=rates[2],
                net_sent_bytes_s=rates[3],
                clock_step_s=self._stepped_s(at_ns, boot_ns),
                clock_offset_s=self._clock.offset_s(),
                process_cpu_ratio=process.cpu_percent() / 100,
                process_rss_bytes=process.memory_info().rss,
                process_uss_bytes=self._uss_bytes,
                process_threads=process.num_threads(),
                process_descriptors=process.num_fds(),
                process_tasks=loop.tasks,
                gc_pause_s=loop.gc_pause_s,
                gc_collections=loop.gc_collections,
                loop_lag_s=loop.loop_lag_s,
            )

    def _stepped_s(self, wall_ns: int, boot_ns: int) -> float:
        ahead_ns, before_ns = wall_ns - boot_ns, self._wall_ahead_ns
        self._wall_ahead_ns = ahead_ns
        return 0.0 if before_ns is None else (ahead_ns - before_ns) / 1e9

    def _nearest_existing(self) -> Path:
        """A data directory that vanished still has a disk: that of its nearest parent."""
        path = self._data_dir.absolute()
        while not path.exists() and path != path.parent:
            path = path.parent
        return path


class _Rates:
    """Bytes per second of disks and network, from counters since boot."""

    def __init__(self) -> None:
        self._last: tuple[int, tuple[int, ...]] | None = None
        self._disks: Collection[bytes] = ()
        self._looks = 0

    def since_last(self, boot_ns: int) -> tuple[float, ...]:
        if self._looks % DISKS_EVERY == 0:
            self._disks = whole_disks()
        self._looks += 1
        now = (*disk_bytes(self._disks), *network_bytes())
        last, self._last = self._last, (boot_ns, now)
        if last is None or boot_ns <= last[0]:
            return (0.0,) * len(now)
        passed_s = (boot_ns - last[0]) / 1e9
        return tuple(max(0, after - before) / passed_s for before, after in zip(last[1], now, strict=True))
