"""Settings of the keeper and of the leases that its nodes hand to each other."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address

import msgspec


class KeeperConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the keeper starts, watches and ends nodes. TOML: `[keeper]`.

    host, port: where API and dashboard listen; a loopback address: there is no sign-in yet. Port 0 takes a free one.
    nodes: 2 is a trader and a console that back each other; 1 puts everything into one process.
    hang_kill_s: a node whose event loop has not turned for this long after READY is killed, so that the kill
        switch acts within 2 s whatever blocks the loop; 0 turns it off.
    start_timeout_s: a node that is not READY by then is killed and started again; a cold disk and a slow venue fit.
    stop_deadline_s: SIGTERM to SIGKILL; below systemd's default and below a human's patience.
    backoff_cap_s: the longest wait between restarts; the first restart is immediate.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    nodes: int = 2
    hang_kill_s: float = 1.5
    start_timeout_s: float = 60.0
    stop_deadline_s: float = 4.0
    backoff_cap_s: float = 30.0

    def __post_init__(self) -> None:
        if self.nodes not in (1, 2):
            raise ValueError(f"nodes: expected 1 or 2, was {self.nodes}")
        if not _is_loopback(self.host):
            raise ValueError(
                f"host: expected a loopback address such as 127.0.0.1, was {self.host}: whoever reaches the console "
                "may use it, so put a proxy with a sign-in of its own in front"
            )
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: expected 0 to 65535, was {self.port}")
        if self.stop_deadline_s <= 1 or self.start_timeout_s <= 0 or self.hang_kill_s < 0:
            raise ValueError("expected stop_deadline_s > 1, start_timeout_s > 0 and hang_kill_s >= 0")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or IPv4Address(host).is_loopback
    except AddressValueError:
        return False
