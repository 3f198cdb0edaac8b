"""What a sample takes from /proc, read once and no more of it than is kept; psutil takes thrice as long for it."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

MEMINFO, DISKSTATS, NET_DEV, SYS_BLOCK = (
    Path("/proc/meminfo"),
    Path("/proc/diskstats"),
    Path("/proc/net/dev"),
    Path("/sys/block"),
)
SECTOR_BYTES = 512  # the kernel's unit in diskstats, whatever the disk's own is
_READ, _WRITTEN = 5, 9
_RECEIVED, _SENT = 0, 8


class Memory(NamedTuple):
    """Of the host, in bytes."""

    total: int
    available: int
    swap_used: int


def memory() -> Memory:
    """Return the host's memory; a kernel without MemAvailable counts what is free."""
    found = {}
    for line in MEMINFO.read_bytes().splitlines():
        name, _, value = line.partition(b":")
        if name in (b"MemTotal", b"MemFree", b"MemAvailable", b"SwapTotal", b"SwapFree"):
            found[name] = int(value.split()[0]) * 1024
    available = found.get(b"MemAvailable", found[b"MemFree"])
    swap_used = max(0, found.get(b"SwapTotal", 0) - found.get(b"SwapFree", 0))
    return Memory(found[b"MemTotal"], available, swap_used)


def whole_disks() -> Collection[bytes]:
    """Return the names of disks, partitions left out: their bytes are counted with their disk."""
    try:
        return {name.replace("!", "/").encode() for name in os.listdir(SYS_BLOCK)}
    except OSError:  # a container may see none
        return ()


def disk_bytes(disks: Collection[bytes]) -> tuple[int, int]:
    """Return what was read from and written to these disks since boot."""
    read = written = 0
    try:
        lines = DISKSTATS.read_bytes().splitlines()
    except OSError:
        return 0, 0
    for line in lines:
        fields = line.split()
        if fields[2] in disks:
            read += int(fields[_READ])
            written += int(fields[_WRITTEN])
    return read * SECTOR_BYTES, written * SECTOR_BYTES


def network_bytes() -> tuple[int, int]:
    """Return what was received and sent over all interfaces since boot."""
    received = sent = 0
    for line in NET_DEV.read_bytes().splitlines()[2:]:  # two lines of headings
        fields = line.partition(b":")[2].split()
        received += int(fields[_RECEIVED])
        sent += int(fields[_SENT])
    return received, sent
