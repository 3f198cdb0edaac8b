"""The boot this machine is in: clocks since boot compare only within one."""

from __future__ import annotations

from pathlib import Path


def read_boot_id() -> str:
    """Return the kernel's random id of this boot (Source: man 5 proc, /proc/sys/kernel/random/boot_id)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
