"""Deduplication: whether a receiver must hear about a group, given what it was told last."""

from __future__ import annotations

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver was told about a group, and when. `expires_at_ns`: when it may be forgotten.

    `is_open`: a message of the group's own opened its thread, and none has ended it. `is_digested`: the newest message
    that told of it was a digest, and something fires. `is_doubtful`: not every channel has it for sure. What fires is
    told again then, and the end of all that may have been told is owed.
    """

    at_ns: int
    firing: frozenset[str]
    resolved: frozenset[str]
    expires_at_ns: int
    is_open: bool = False
    is_digested: bool = False
    is_doubtful: bool = False


def must_tell(
    told: Told | None,
    *,
    firing: frozenset[str],
    resolved: frozenset[str],
    send_resolved: bool,
    repeat_after_ns: int,
    now_ns: int,
) -> bool:
    """Return whether there is something to tell.

    A repetition is due at exactly `repeat_after_ns`: both times are those of the flush, so no race decides.

    Source: Alertmanager notify.DedupStage.needsUpdate.
    """
    if told is None or (told.is_doubtful and firing):
        return bool(firing)
    if not firing <= told.firing:
        return True
    if not firing:
        return bool(told.firing)  # told even without send_resolved, so that the memory of firing is cleared
    if send_resolved and not resolved <= told.resolved:
        return True
    return now_ns - told.at_ns >= repeat_after_ns
