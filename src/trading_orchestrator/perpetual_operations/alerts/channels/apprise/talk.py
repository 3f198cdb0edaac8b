"""What the channel and the process that sends for it say to each other, as one JSON each."""

from __future__ import annotations

import msgspec


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """On stdin, never in arguments: other users of the host can read those."""

    url: str
    title: str
    body: str
    kind: str
    idempotency_key: str
    timeout_s: float
    gateway_url: str | None = None
    only_look: bool = False  # whether Apprise knows the address; nothing is sent

    def __repr__(self) -> str:
        return f"Errand({self.idempotency_key!r}, url=***)"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, as seen on the wire beneath Apprise.

    is_sent: what Apprise says. statuses: of every answer. retry_after: of the last one that named it.
    failure: how the last request without an answer ended: "unreachable" before a byte was out, or "silent".
    """

    is_sent: bool
    statuses: tuple[int, ...] = ()
    retry_after: str | None = None
    failure: str | None = None
    is_address: bool = True
