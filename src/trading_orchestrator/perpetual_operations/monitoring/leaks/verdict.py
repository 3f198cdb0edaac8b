"""What two windows of traced allocations say about memory that grows: which line holds it, or that none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

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
    """What grows. `explained_ratio`: how much of the suspected growth the named line is; above 1 it was faster."""

    cause: Cause
    sites: tuple[Site, ...] = ()
    explained_ratio: float = 0.0

    @property
    def sentence(self) -> str:
        if self.cause is Cause.SITE:
            top = self.sites[0]
            return f"{top.where} keeps {top.bytes_s / 1000:.1f} kB/s, {100 * top.share:.0f} % of what stays allocated"
        if self.cause is Cause.NATIVE:
            return "no line of Python keeps it: native memory, or fragmentation"
        return "no line stands out"


def judge(windows: Sequence[Grown], *, window_s: float, slope_bytes_s: float) -> Verdict:
    """Return the verdict on what was still allocated at the end of each window. A site counts by its slower window."""
    steady = {site: min(grown.get(site, 0) for grown in windows) for site in windows[0]}
    kept = sum(steady.values())
    expected = slope_bytes_s * window_s
    if not kept or kept < EXPLAINS_RATIO * expected:
        return Verdict(Cause.NATIVE)
    ranked = sorted(steady.items(), key=lambda item: -item[1])[:SHOWN_SITES]
    sites = tuple(Site(where, grown / window_s, round(grown / kept, 3)) for where, grown in ranked if grown)
    top = ranked[0][1]
    if top < LINE_EXPLAINS_RATIO * expected or top < DOMINATES_RATIO * kept:
        return Verdict(Cause.NONE, sites)
    return Verdict(Cause.SITE, sites, round(top / expected, 3) if expected else 1.0)
