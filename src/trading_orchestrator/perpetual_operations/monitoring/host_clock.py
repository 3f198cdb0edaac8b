"""How far the kernel's clock is from its reference, as the kernel itself tells it (adjtimex, read only)."""

from __future__ import annotations

import struct
from collections.abc import Callable

_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000
_HEAD = "@Illlli"  # of struct timex: modes, offset, freq, maxerror, esterror, status
_BYTES = 512  # more than the whole of it on any architecture


class HostClock:
    """Asks the kernel; one thread at a time."""

    def __init__(self) -> None:
        self._adjtimex: Callable[[bytearray], int] | None = None

    def offset_s(self) -> float | None:
        """Return what is still to be corrected, in seconds; None while nothing disciplines the clock. Costs 10 µs."""
        asked = bytearray(_BYTES)  # modes 0: tell, change nothing
        self._adjtimex = self._adjtimex or _bound()
        if self._adjtimex(asked) < 0:
            return None
        _, offset, _, _, _, status = struct.unpack_from(_HEAD, asked)
        if status & _STA_UNSYNC:
            return None
        return float(offset) / (1e9 if status & _STA_NANO else 1e6)


def _bound() -> Callable[[bytearray], int]:
    import ctypes  # 8 ms that a node's start need not wait: the first sample is taken on a thread

    call, buffer = ctypes.CDLL(None, use_errno=True).adjtimex, ctypes.c_char * _BYTES
    return lambda asked: int(call(buffer.from_buffer(asked)))
