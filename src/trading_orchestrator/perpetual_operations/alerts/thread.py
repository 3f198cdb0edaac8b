"""Threads: what a receiver that keeps things open (an incident, a conversation) shows together."""

from __future__ import annotations

import msgspec

from trading_orchestrator.kernel.ids import digest_base32


class Thread(msgspec.Struct, frozen=True):
    """One group as one receiver hears of it; all digests of a receiver are one thread as well."""

    receiver: str
    group_key: str

    @property
    def name(self) -> str:
        """Return what names it outside: a deduplication key, the root of a conversation."""
        return digest_base32(self.receiver, self.group_key)


def digests_of(receiver: str) -> Thread:
    """Return the thread of all digests that the receiver gets: the next one of a storm goes on with the one before."""
    return Thread(receiver, f"digest:{receiver}")
