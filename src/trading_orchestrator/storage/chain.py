"""The chain: canonical JSON, and the hash that binds every field of a fact to its predecessor."""

from __future__ import annotations

import struct
from hashlib import blake2b

import msgspec

from trading_orchestrator.storage.ports import Fact

ZERO_HASH = bytes(32)

_CANONICAL = msgspec.json.Encoder(order="deterministic")
_FIXED = struct.Struct(">qqqqIIII32s")
_HASHER = blake2b(digest_size=32, person=b"journal.fact.1")
"""Copied for each fact: setting one up costs more than hashing a fact."""


def canonical_json(value: object) -> bytes:
    """Return the one JSON spelling of a value: keys sorted, no white space, Decimals as text."""
    return _CANONICAL.encode(value)


def fact_hash(
    stream: str, seq: int, pos: int, at_ns: int, node: str, epoch: int, kind: str, body: bytes, prev_hash: bytes
) -> bytes:
    """Return BLAKE2b-256 over every field.

    Unambiguous: fixed-width numbers and the lengths of the four variable fields come first, so no two
    different facts share one encoding. The personalisation names the encoding's version.
    """
    of, by, what = stream.encode(), node.encode(), kind.encode()
    fixed = _FIXED.pack(seq, pos, at_ns, epoch, len(of), len(by), len(what), len(body), prev_hash)
    hasher = _HASHER.copy()
    hasher.update(fixed + of + by + what + body)
    return hasher.digest()


def reads_back(fact: Fact) -> bool:
    """Return whether the fact is as it was written, by its own hash."""
    try:
        return hash_of(fact) == fact.hash
    except (AttributeError, TypeError, struct.error):  # damage can change the type of a stored value too
        return False


def hash_of(fact: Fact) -> bytes:
    """Return the hash that the fact's own fields demand."""
    return fact_hash(
        fact.stream, fact.seq, fact.pos, fact.at_ns, fact.node, fact.epoch, fact.kind, fact.body, fact.prev_hash
    )
