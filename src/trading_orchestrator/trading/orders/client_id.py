"""Client order ids: pure functions of the intent, so a successor computes the same id again."""

from __future__ import annotations

import re

from trading_orchestrator.kernel.ids import digest_base32

PREFIX = "tro"
"""Tells our orders from a human's on the same account. Letters only: some venues refuse `-` and `_`."""

_OURS = re.compile(rf"{PREFIX}[a-z2-7]{{20}}")


def cl_ord_id(account: str, timeline: str, intent_id: str, generation: int) -> str:
    """Return the 23 characters (letters and digits) that name this order at the venue.

    Args:
        account: the configured name of the account.
        timeline: the random id minted with the journal, and anew by every restore.
        generation: rises only by rule R4 of ORDER_PROTOCOL.

    100 bits: a collision among 10**9 orders has a chance below 10**-12.
    """
    return PREFIX + digest_base32(account, timeline, intent_id, str(generation))


def request_id(of_cl_ord_id: str, number: int) -> str:
    """Return the id of the order's `number`-th cancel or replace; a replaced order bears it at the venue."""
    return PREFIX + digest_base32(of_cl_ord_id, "request", str(number))


def emergency_request_id(of_cl_ord_id: str, sent_ns: int) -> str:
    """Return the id of a cancel that was sent while the journal took nothing; never one of the numbered ones."""
    return PREFIX + digest_base32(of_cl_ord_id, "emergency", str(sent_ns))


def is_ours(cl_ord_id: str) -> bool:
    """Return whether this id was made here."""
    return _OURS.fullmatch(cl_ord_id) is not None
