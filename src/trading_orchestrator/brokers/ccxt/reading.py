"""Reading with distrust: an unreadable answer, or one to another question, proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import msgspec

from trading_orchestrator.brokers.port import NoAnswer, OrderReport


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever an unexpected shape raises into NoAnswer."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        said = f"{what}: the answer cannot be read: {type(error).__name__} {error}"
        raise NoAnswer(said, venue_code="", text="unreadable") from None


def echoes(report: OrderReport, cl_ord_id: str, what: str) -> OrderReport:
    """Return the report if it is about our id."""
    if report.cl_ord_id != cl_ord_id:
        raise mismatch(what, cl_ord_id, report.cl_ord_id)
    return report


def mismatch(what: str, asked: object, said: object) -> NoAnswer:
    return NoAnswer(f"{what}: expected an answer for {asked}, was for {said}", venue_code="", text="echo mismatch")


def raw_hash(raw: object) -> str:
    """Return BLAKE2b-128 of the JSON object, so that evidence can be matched with a capture."""
    return blake2b(msgspec.json.encode(raw), digest_size=16).hexdigest()
