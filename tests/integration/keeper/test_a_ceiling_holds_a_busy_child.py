"""A child with a CPU ceiling that keeps a core busy is held back by the kernel, and its group goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.running_system import wait_until
from trading_orchestrator.keeper.child import Child, Spec
from trading_orchestrator.keeper.cpu_quota import LEAF, V1, V2, ceiling_of
from trading_orchestrator.kernel.clock import SystemClock

RATIO = 0.1
HELD_BACK_TIMES = 5


def child_group(pid: int) -> Path:
    """Return the group that bounds the process, as the kernel says."""
    is_v2 = (V2 / "cgroup.controllers").exists()
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if (not controllers) if is_v2 else ("cpu" in controllers.split(",")):
            return (V2 if is_v2 else V1) / path.lstrip("/")
    raise AssertionError(f"process {pid} is in no group of the cpu controller")


def throttled_times(group: Path) -> int:
    """Return how often the kernel made the group wait for its next period."""
    words = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(words["nr_throttled"])


def test_a_busy_child_is_held_back() -> None:
    spec = Spec("busy", [sys.executable, "-c", "while True: pass"], b"", cpu_max_ratio=RATIO)
    child = Child(spec, started_ns=SystemClock().boot_ns())
    try:
        if child.unlimited_because:
            pytest.skip(f"this host gives nobody a ceiling: {child.unlimited_because}")
        group = child_group(child.pid)
        assert RATIO == ceiling_of(child.pid)
        wait_until(lambda: throttled_times(group) >= HELD_BACK_TIMES, within_s=60, what="the kernel to hold it back")
    finally:
        child.signal(signal.SIGKILL)
        child.reap()
        child.close()
    assert not group.exists()


MOVED = """
import os, subprocess, sys
from pathlib import Path
from trading_orchestrator.keeper.cpu_quota import LEAF, offer_to_groups_below

group = Path(sys.argv[1])
(group / "cgroup.procs").write_text(str(os.getpid()))
child = subprocess.Popen(["sleep", "60"])
try:
    offer_to_groups_below(group, sys.argv[2])
    moved = {int(pid) for pid in (group / LEAF / "cgroup.procs").read_text().split()}
    assert {os.getpid(), child.pid} == moved, moved
finally:
    child.kill()
    child.wait()
"""


@pytest.fixture
def delegated() -> Iterator[tuple[Path, str]]:
    """A group of version 2 of this very kernel, and a controller that it may offer."""
    root = next((path for path in (V2, V2 / "unified") if (path / "cgroup.controllers").exists()), None)
    if root is None:
        pytest.skip("this host has no control groups of version 2")
    controllers = (root / "cgroup.controllers").read_text().split()
    before = (root / "cgroup.subtree_control").read_text().split()
    if not controllers:
        pytest.skip("this host keeps every controller in version 1")
    controller = "cpu" if "cpu" in controllers else controllers[0]
    group = root / f"test-{os.getpid()}"
    try:
        if controller not in before:
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made here: {error.strerror}")
    try:
        yield group, controller
    finally:
        for path in (group / LEAF, group):
            with suppress(OSError):
                path.rmdir()
        if controller not in before:
            (root / "cgroup.subtree_control").write_text(f"-{controller}")


def test_the_kernel_lets_a_keeper_offer_a_controller_once_it_has_stepped_aside(delegated: tuple[Path, str]) -> None:
    """The rule that no process may stay above is the kernel's, so the kernel has to be asked."""
    group, controller = delegated
    done = subprocess.run(
        [sys.executable, "-c", MOVED, str(group), controller], capture_output=True, text=True, timeout=60, check=False
    )

    assert "" == done.stderr
    assert controller in (group / "cgroup.subtree_control").read_text().split()
