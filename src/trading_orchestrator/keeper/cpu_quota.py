"""A ceiling on the CPU time of one child, by a control group of the kernel, where this host lets us make one."""

from __future__ import annotations

import contextlib
from pathlib import Path

PERIOD_US = 100_000
V2 = Path("/sys/fs/cgroup")
V1 = Path("/sys/fs/cgroup/cpu")


class CpuQuota:
    """Makes and removes one control group. Version 2 where the host has it, else version 1.

    Args:
        max_ratio: of one core; 0.5 is half of it, 2 is two cores.

    Source: Documentation/admin-guide/cgroup-v2.rst (cpu.max), scheduler/sched-bwc.rst (cfs_quota_us).
    """

    def __init__(self, name: str, max_ratio: float, *, v2: Path = V2, v1: Path = V1) -> None:
        self._quota_us = max(1_000, int(max_ratio * PERIOD_US))
        self._is_v2 = (v2 / "cgroup.controllers").exists()
        self._group = (v2 if self._is_v2 else v1) / f"trading-orchestrator-{name}"

    def hold(self, pid: int) -> str:
        """Put a process under the ceiling; return why that was not possible, "" when it was."""
        try:
            self._group.mkdir(exist_ok=True)
            if self._is_v2:
                (self._group / "cpu.max").write_text(f"{self._quota_us} {PERIOD_US}")
            else:
                (self._group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (self._group / "cpu.cfs_quota_us").write_text(str(self._quota_us))
            (self._group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            self.release()
            return f"{self._group}: {error.strerror}"
        return ""

    def release(self) -> None:
        """Remove the group; call when its process has ended."""
        with contextlib.suppress(OSError):
            self._group.rmdir()


def ceiling_of(pid: int, *, v2: Path = V2, v1: Path = V1, proc: Path = Path("/proc")) -> float | None:
    """Return the share of one core that the process's own group allows it at most, None when that is all.

    Groups above it are not read: a host may be bounded as a whole, and that is no ceiling of ours.
    """
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        group = path.lstrip("/")
        with contextlib.suppress(OSError, ValueError):
            if not controllers:
                quota, period = (v2 / group / "cpu.max").read_text().split()
                return int(quota) / int(period)
            if "cpu" in controllers.split(","):
                quota_us = int((v1 / group / "cpu.cfs_quota_us").read_text())
                return quota_us / int((v1 / group / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None
