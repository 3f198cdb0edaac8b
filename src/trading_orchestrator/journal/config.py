"""Settings of the journal and its leases."""

from __future__ import annotations

import msgspec


class JournalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TOML: `[journal]`.

    lease_ttl_s: a dead host is taken over after this long; a dead process on this host within milliseconds. Three
        seconds ride out a disk that stalls for one, and a renewal is due at every third of it.
    """

    lease_ttl_s: float = 3.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.lease_ttl_s <= 60:
            raise ValueError(f"lease_ttl_s: expected 0.5 to 60, was {self.lease_ttl_s}")
