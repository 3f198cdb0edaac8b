"""What two windows of traced allocations say about memory that grows: which line holds it, or that none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.leaks.agreement import OBJECTS

EXPLAINS_RATIO = 0.3
DOMINATES_RATIO = 0.4
LINE_EXPLAINS_RATIO = 0.15
"""One line needs less than all lines together: a traced program on a busy host leaks at a third of its pace."""
SHOWN_SITES = 3
Grown = Mapping[str, int]


class Cause(Enum):
    """SITE: one line of Python keeps what it allocates. NATIVE: the growth is not Python's: a C library, or pages
    that the allocator cannot give back. NONE: Python grows, but no line stands out; look again."""

    SITE = "site"
    NATIVE = "native"
    NONE = "none"


class Site(msgspec.Struct, frozen=True):
    """`where` is file:line; `share` of all that stayed allocated while we looked."""

    where: str
    bytes_s: float
    share: float


class Verdict(msgspec.Struct, frozen=True):
    """What grows. `explained_ratio`: how much of the suspected growth the named line is; above 1 it was faster.

    agrees: what else grew over the same window.
    """

    cause: Cause
    sites: tuple[Site, ...] = ()
    explained_ratio: float = 0.0
    agrees: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        also = f"; with it grow {', '.join(self.agrees)}" if self.agrees else ""
        return f"{self._of_cause}{also}"

    @property
    def _of_cause(self) -> str:
        if self.cause is Cause.SITE:
            top = self.sites[0]
            return f"{top.where} keeps {top.bytes_s / 1000:.1f} kB/s, {100 * top.share:.0f} % of what stays allocated"
        if self.cause is Cause.NATIVE:
            return "no line of Python keeps it: native memory, or fragmentation"
        return "no line stands out"


def judge(windows: Sequence[Grown], *, window_s: float, slope_bytes_s: float, agrees: Sequence[str] = ()) -> Verdict:
    """Return the verdict on what was still allocated at the end of each window. A site counts by its slower window.

    Args:
        agrees: what else grew. Where Python's objects did, growth that tracing did not see is not called native:
            the traced program may just have been slow.
    """
    agreeing = tuple(agrees)
    steady = {site: min(grown.get(site, 0) for grown in windows) for site in windows[0]}
    kept = sum(steady.values())
    expected = slope_bytes_s * window_s
    if not kept or is_unseen(kept, expected):
        return Verdict(Cause.NONE if OBJECTS in agreeing else Cause.NATIVE, agrees=agreeing)
    ranked = sorted(steady.items(), key=lambda item: -item[1])[:SHOWN_SITES]
    sites = tuple(Site(where, grown / window_s, round(grown / kept, 3)) for where, grown in ranked if grown)
    top = ranked[0][1]
    if top < LINE_EXPLAINS_RATIO * expected or top < DOMINATES_RATIO * kept:
        return Verdict(Cause.NONE, sites, agrees=agreeing)
    return Verdict(Cause.SITE, sites, round(top / expected, 3) if expected else 1.0, agreeing)


def is_unseen(kept: float, expected: float) -> bool:
    """Return whether Python kept too little to explain the growth; what one window did not see, two do not."""
    return kept < EXPLAINS_RATIO * expected
