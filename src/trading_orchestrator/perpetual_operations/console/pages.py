"""Lists by pages: newest first, and what a client asks for the page behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from trading_orchestrator.storage.ports import ProjectionRow

Limit = Annotated[int, Query(ge=1, le=1000, description="Rows on a page; what was written at once is not torn apart")]
Position = Annotated[int | None, Query(ge=1, description="The `next` of the page before; left out: the newest")]
SamePosition = Annotated[int | None, Query(ge=1, description="`before` by another name")]


async def _cursor(before: Position = None, next: SamePosition = None) -> int | None:
    return next if before is None else before


Before = Annotated[int | None, Depends(_cursor)]


def next_of(rows: Sequence[ProjectionRow], limit: int) -> int | None:
    """Return the `before` of the page behind these rows, None behind the last one; a page may exceed its limit."""
    return rows[-1].pos if len(rows) >= limit else None
