"""Storms: when a receiver would get too many messages at once, they become one digest."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import msgspec
from msgspec import Meta


class StormConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """More than `messages` to one receiver within `within` seconds are a storm: what follows is one digest.

    gather: seconds that a storm may grow before its first digest, so that what begins together is told together.
    every: seconds between two digests while the storm goes on.
    never_throttled: alerts that match speak at once and for themselves, storm or not.
    """

    messages: Annotated[int, Meta(ge=1)] = 20
    within: Annotated[float, Meta(gt=0)] = 60.0
    gather: Annotated[float, Meta(ge=0)] = 2.0
    every: Annotated[float, Meta(gt=0)] = 60.0
    never_throttled: tuple[str, ...] = ('severity="critical"',)


class StormWatch:
    """Counts what each receiver got lately. Not durable: a new process counts anew, and at worst tells more."""

    def __init__(self, config: StormConfig) -> None:
        self._within_ns = round(config.within * 1e9)
        self._gather_ns = round(config.gather * 1e9)
        self._every_ns = round(config.every * 1e9)
        self._most = config.messages
        self._told: dict[str, deque[int]] = {}
        self._next_digest_ns: dict[str, int] = {}
        self._grows_until_ns: dict[str, int] = {}

    def is_storm(self, receiver: str, waiting: int, now_ns: int) -> bool:
        """Return whether so many more messages would be too many."""
        told = self._told.setdefault(receiver, deque(maxlen=self._most + 1))
        while told and now_ns - told[0] >= self._within_ns:
            told.popleft()
        return len(told) + waiting > self._most

    def count(self, receiver: str, messages: int, now_ns: int) -> None:
        """Count what was told; a digest counts as much as it stands for."""
        told = self._told.setdefault(receiver, deque(maxlen=self._most + 1))
        told.extend([now_ns] * min(messages, self._most + 1))

    def digest_at_ns(self, receiver: str, now_ns: int) -> int:
        """Return when the next digest may go: when the storm has had time to grow, or after the last one's wait."""
        next_ns = self._next_digest_ns.get(receiver)
        if next_ns is not None and now_ns < next_ns + self._every_ns:
            return max(now_ns, next_ns)
        grown_ns = self._grows_until_ns.get(receiver)
        if grown_ns is None or now_ns > grown_ns + self._every_ns:
            grown_ns = self._grows_until_ns[receiver] = now_ns + self._gather_ns
        return max(now_ns, grown_ns)

    def digested(self, receiver: str, groups: int, now_ns: int) -> None:
        """A digest goes now."""
        self._grows_until_ns.pop(receiver, None)
        self._next_digest_ns[receiver] = now_ns + self._every_ns
        self.count(receiver, groups, now_ns)
