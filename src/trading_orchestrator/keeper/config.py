"""Settings of the keeper and of the leases that its nodes hand to each other."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.kernel.bounds import UpToAnHour


class KeeperConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the keeper starts, watches and ends nodes. TOML: `[keeper]`.

    host, port: where API and dashboard listen; a loopback address: there is no sign-in yet. Port 0 takes a free one.
    nodes: 2 is a trader and a console that back each other; 1 puts everything into one process.
    hang_kill_s: a node whose event loop has not turned for this long after READY is killed, so that the kill
        switch acts within 2 s whatever blocks the loop; 0 turns it off.
    start_timeout_s: a node that is not READY by then is killed and started again; a cold disk fits. A venue that is
        away keeps no node from being READY: the console serves, and the desk waits for its venue.
    stop_deadline_s: SIGTERM to SIGKILL; below systemd's default and below a human's patience.
    backoff_cap_s: the longest wait between restarts; the first restart is immediate.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    nodes: Annotated[int, Meta(ge=1, le=2)] = 2
    hang_kill_s: Annotated[float, Meta(ge=0, le=3600)] = 1.5
    start_timeout_s: UpToAnHour = 60.0
    stop_deadline_s: Annotated[float, Meta(gt=1, le=600)] = 4.0
    backoff_cap_s: UpToAnHour = 30.0

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise ValueError(
                f"host: expected a loopback address such as 127.0.0.1, was {self.host}: whoever reaches the console "
                "may use it, so put a proxy with a sign-in of its own in front"
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or IPv4Address(host).is_loopback
    except AddressValueError:
        return False
