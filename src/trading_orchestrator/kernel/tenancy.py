"""What a lease gives the right to do, in the four moves that every handover is made of."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Succession(Enum):
    """How we came by the lease; it decides what the successor has to wait out."""

    FIRST = "first"  # nobody held it before
    HANDED_OVER = "handed_over"  # the predecessor released it: nothing of its is under way
    PROVED_DEATH = "proved_death"  # the predecessor's lock is free: no new sends, unfinished ones are unknown
    EXPIRED = "expired"  # the TTL ran out: the holder may be frozen; the last quarter of the TTL was waited out


class Seat(Protocol):
    """A lease as its holder sees it."""

    @property
    def lease(self) -> str:
        """Return the lease's name, e.g. `desk/paper`."""
        ...

    @property
    def epoch(self) -> int:
        """Return the fencing epoch, checked in every append."""
        ...

    @property
    def succession(self) -> Succession:
        """Return how the lease came to us."""
        ...

    @property
    def hung_in(self) -> str:
        """Return the strategy that kept the predecessor's loop until it was ended; "" if none did."""
        ...

    def may_act(self) -> bool:
        """Return whether three quarters of the TTL have not passed since the last confirmed renewal was written.

        Check it right before bytes leave; costs one clock read.
        """
        ...


class Tenancy(Protocol):
    """Work that needs a lease: a desk, or the console. The node that hosts it calls these in order.

    warm → take → leave, then warm again; `take` may be called at any time after `warm` returned.
    """

    @property
    def lease(self) -> str:
        """Return the name of the lease it needs."""
        ...

    async def warm(self) -> None:
        """Return once a `take` would be quick: clients connected, folds caught up. Keeps following until `take`."""
        ...

    async def take(self, seat: Seat) -> None:
        """Start acting; return when the work is truly under way (a desk: reconciled, strategies run).

        Raises:
            Transient: could not start now; the node releases the lease and tries again.
        """
        ...

    def held_up(self, why: str) -> None:
        """Hear why it could not start and is tried again later; "" once it acts, or stands by for one that does."""
        ...

    async def leave(self, deadline_s: float) -> None:
        """Stop acting within `deadline_s`: no new work, flush, nothing left under way. Then follow again.

        Also called, with 0, when the lease was lost: nothing may be written or sent any more.
        """
        ...

    async def close(self) -> None:
        """Give everything back; the node is ending."""
        ...
