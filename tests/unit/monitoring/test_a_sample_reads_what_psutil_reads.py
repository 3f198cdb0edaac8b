"""What is read from /proc by hand is what psutil reads there; between two readings a busy host may move a little."""

from __future__ import annotations

import psutil

from trading_orchestrator.perpetual_operations.monitoring.proc_files import (
    disk_bytes,
    memory,
    network_bytes,
    whole_disks,
)


def test_memory_is_that_of_psutil() -> None:
    before, found, after = psutil.virtual_memory(), memory(), psutil.virtual_memory()

    lowest, highest = sorted((before.available, after.available))
    spread = before.total // 20
    assert before.total == found.total
    assert lowest - spread <= found.available <= highest + spread
    assert psutil.swap_memory().total >= found.swap_used >= 0


def test_bytes_of_disks_and_network_lie_between_two_readings_of_psutil() -> None:
    def theirs() -> tuple[int, ...]:
        disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
        seen = (disk.read_bytes, disk.write_bytes) if disk is not None else (0, 0)
        return (*seen, net.bytes_recv, net.bytes_sent)

    before = theirs()
    found = (*disk_bytes(whole_disks()), *network_bytes())
    after = theirs()

    assert [True] * 4 == [low <= value <= high for low, value, high in zip(before, found, after, strict=True)]
