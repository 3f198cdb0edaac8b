"""A ceiling on the CPU time of one child, by a control group of the kernel, where this host lets us make one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

PERIOD_US = 100_000
V2 = Path("/sys/fs/cgroup")
V1 = Path("/sys/fs/cgroup/cpu")
PROC = Path("/proc")
LEAF = "trading-orchestrator-keeper"


class CpuQuota:
    """Makes and removes one control group. Version 2 where the host has it, else version 1.

    It lies below the keeper's own group, as a service manager delegates it (`Delegate=cpu`): no privilege is needed
    there, and the child stays where the service manager ends it with the rest. At the root of the hierarchy otherwise.

    Args:
        max_ratio: of one core; 0.5 is half of it, 2 is two cores.

    Source: Documentation/admin-guide/cgroup-v2.rst (cpu.max), scheduler/sched-bwc.rst (cfs_quota_us).
    """

    def __init__(self, name: str, max_ratio: float, *, v2: Path = V2, v1: Path = V1, proc: Path = PROC) -> None:
        self._quota_us = max(1_000, int(max_ratio * PERIOD_US))
        self._is_v2 = (v2 / "cgroup.controllers").exists()
        self._root = v2 if self._is_v2 else v1
        self._proc = proc
        self._name = f"trading-orchestrator-{name}"
        self._group: Path | None = None

    def hold(self, pid: int) -> str:
        """Put a process under the ceiling; return why that was not possible, "" when it was."""
        refusals = []
        for parent in self._parents():
            try:
                self._bound(pid, parent)
            except OSError as error:
                self.release()
                refusals.append(f"{parent / self._name}: {error.strerror}")
            else:
                return ""
        return "; ".join(refusals)

    def release(self) -> None:
        """Remove the group; call when its process has ended."""
        if self._group is not None:
            with contextlib.suppress(OSError):
                self._group.rmdir()

    def _parents(self) -> Iterator[Path]:
        own = _group_of("self", self._root, self._proc, is_v2=self._is_v2)
        if own is not None and own.name == LEAF:
            own = own.parent
        if own is not None and own != self._root and own.is_dir():  # in a container it may name the host's
            yield own
        yield self._root

    def _bound(self, pid: int, parent: Path) -> None:
        group = parent / self._name
        if self._is_v2:
            offer_to_groups_below(parent, "cpu", is_root=parent == self._root, proc=self._proc)
        group.mkdir(exist_ok=True)
        self._group = group
        if self._is_v2:
            (group / "cpu.max").write_text(f"{self._quota_us} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(self._quota_us))
        (group / "cgroup.procs").write_text(str(pid))


def offer_to_groups_below(group: Path, controller: str, *, is_root: bool = False, proc: Path = PROC) -> None:
    """Let the groups below a group of version 2 use a controller.

    Only a group without processes of its own may, the root excepted, so ours go into a leaf first.

    Raises:
        OSError: it was not delegated to us, or somebody else's processes run in it too; those are left alone.
    """
    if controller in (group / "cgroup.subtree_control").read_text().split():
        return
    if not is_root:
        _move_into_leaf(group, proc)
    (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _move_into_leaf(group: Path, proc: Path) -> None:
    pids = (group / "cgroup.procs").read_text().split()
    if not all(_is_ours(pid, proc) for pid in pids):
        raise OSError(errno.EBUSY, "processes of others run in this group")
    leaf = group / LEAF
    leaf.mkdir(exist_ok=True)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(pid)


def _is_ours(pid: str, proc: Path) -> bool:
    """Return whether it is this process or one that it started."""
    try:
        parent = (proc / pid / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return True  # it has ended
    return str(os.getpid()) in (pid, parent)


def _group_of(process: str, root: Path, proc: Path, *, is_v2: bool) -> Path | None:
    """Return the group of a process in one hierarchy, None when it has none there."""
    try:
        lines = (proc / process / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if (not controllers) if is_v2 else ("cpu" in controllers.split(",")):
            return root / path.lstrip("/")
    return None


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
