"""Real faults: a small disk, little memory, failing syncs, a clock that steps.

Without the right to mount a test skips with the reason; without a tool it does so too, but in CI it fails.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
struct shift { long off_s, drift_ppm, since_ns; };
static volatile struct shift *shift;
__attribute__((constructor)) static void map_it(void) {
    int fd = open(getenv("CLOCK_STEP_FILE"), O_RDONLY);
    shift = mmap(0, sizeof(struct shift), PROT_READ, MAP_SHARED, fd, 0);
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int got = real(id, at);
    if (id != CLOCK_REALTIME) return got;
    struct timespec now;
    real(CLOCK_MONOTONIC, &now);
    long gained_ns = (now.tv_sec * 1000000000 + now.tv_nsec - shift->since_ns) / 1000000 * shift->drift_ppm;
    long whole_ns = at->tv_nsec + (shift->drift_ppm ? gained_ns : 0);
    at->tv_sec += shift->off_s + whole_ns / 1000000000 - (whole_ns % 1000000000 < 0);
    at->tv_nsec = whole_ns % 1000000000 + (whole_ns % 1000000000 < 0) * 1000000000;
    return got;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


def need(tool: str, what: str) -> str:
    """Return the tool's path; without it skip, or fail in CI, where it is installed."""
    found = shutil.which(tool)
    if found is None and "CI" in os.environ:
        pytest.fail(f"{what} needs {tool}: .ci/run installs it")
    if found is None:
        pytest.skip(f"{what} needs {tool}")
    return found


@contextmanager
def small_disk(at: Path, size: str = "2m") -> Iterator[Path]:
    """Mount a file system of this size; needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


CGROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
)
"""Where the memory controller of version 1 and of version 2 stands, its limit, and that of swap."""
JOIN = 'echo $$ > "$0" && exec "$@"'


@contextmanager
def little_memory(limit_bytes: int) -> Iterator[list[str]]:
    """Make a control group with this limit; yields the command that runs a process in it. Needs root and cgroups."""
    if os.geteuid() != 0:
        pytest.skip("a control group needs root")
    for top, limit, swap in CGROUPS:
        group = top / f"trading-orchestrator-test-{os.getpid()}"
        if not _limited(group, limit, limit_bytes):
            continue
        try:
            with suppress(OSError):  # a kernel without swap accounting has no such file
                (group / swap).write_text(str(limit_bytes if top.name == "memory" else 0))
            yield [need("sh", "joining a control group"), "-c", JOIN, str(group / "cgroup.procs")]
        finally:
            group.rmdir()
        return
    pytest.skip("no memory controller can be written here, of neither version of cgroups")


def _limited(group: Path, limit: str, limit_bytes: int) -> bool:
    try:
        group.mkdir()
    except OSError:
        return False
    try:
        (group / limit).write_text(str(limit_bytes))
    except OSError:  # a group without the controller
        group.rmdir()
        return False
    return True


def failing_syncs(first: int, times: int) -> list[str]:
    """Return the command under which the syncs of a process fail, `times` of them from the `first` on."""
    calls = "fsync,fdatasync"
    inject = f"inject={calls}:error=EIO:when={first}..{first + times - 1}"
    strace = need("strace", "failing a sync")
    return [strace, "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", f"trace={calls}", "-e", inject]


class SteppingClock:
    """The wall clock of a process that starts with `environ`: moved whatever the process is doing."""

    def __init__(self, folder: Path) -> None:
        compiler = need("gcc", "moving a process's wall clock")
        source, self._library = folder / "shim.c", folder / "shim.so"
        source.write_text(SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self._library, source, "-ldl"], check=True)
        self._file = folder / "clock_step"
        self._file.write_bytes(bytes(mmap.PAGESIZE))
        with self._file.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_STEP_FILE": str(self._file)}

    def step(self, seconds: int) -> None:
        """Let the clock be off by so much from now on."""
        self._map[:8] = bytes(ctypes.c_long(seconds))

    def drift(self, ppm: int) -> None:
        """Let it run fast from now on by so many millionths, below 0 slow."""
        self._map[16:24] = bytes(ctypes.c_long(time.clock_gettime_ns(time.CLOCK_MONOTONIC)))
        self._map[8:16] = bytes(ctypes.c_long(ppm))


def zone_that_changes(in_s: int) -> str:
    """Return a time zone, for TZ, whose summer begins so many seconds from now: local time then jumps by an hour."""
    at = datetime.fromtimestamp(time.time() + in_s, UTC)
    day = at.timetuple().tm_yday - 1  # counted from 0, leap days too
    return f"WINTER0SUMMER,{day}/{at:%H:%M:%S},{(day + 30) % 365}"


def offset_in(zone: str) -> str:
    """Return what a process in this zone has as its distance from UTC at this moment, as +0100."""
    environ = os.environ | {"TZ": zone}
    return subprocess.run(["date", "+%z"], env=environ, capture_output=True, text=True, check=True).stdout.strip()
