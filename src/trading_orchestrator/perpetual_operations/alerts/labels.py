"""Label sets: their canonical text, and the fingerprint that names an alert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain

Labels = Mapping[str, str]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OFFSET, PRIME, MASK = 14695981039346656037, 1099511628211, 0xFFFFFFFFFFFFFFFF


def without_empty(labels: Labels) -> dict[str, str]:
    """Return the labels sorted by name; a label with an empty value is the same as no label."""
    found = dict(sorted(labels.items()))
    return {name: value for name, value in found.items() if value} if "" in found.values() else found


@lru_cache(10_000)  # alerts come by the thousand, and the names of their labels are few
def is_label_name(name: str) -> bool:
    """Return whether the name may be a label's."""
    return _NAME.fullmatch(name) is not None


def fingerprint(labels: Labels) -> str:
    """Return 16 hex digits that are equal for equal label sets, the same that Alertmanager shows.

    Source: prometheus/common model/signature.go (FNV-1a over sorted names and values, each ended by 0xff).
    """
    digest = OFFSET
    for byte in hashed_text(labels):
        digest = ((digest ^ byte) * PRIME) & MASK
    return f"{digest:016x}"


def hashed_text(labels: Labels) -> bytes:
    """Return the bytes that a fingerprint is made of."""
    words = chain.from_iterable(sorted(labels.items()))
    return b"\xff".join(map(str.encode, words)) + (b"\xff" if labels else b"")


def shown(labels: Labels) -> str:
    """Return the set as Alertmanager writes it: `{a="1", b="2"}`, names in order."""
    inside = ", ".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inside}}}"


def list_order(labels: Labels) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return the key by which alerts are listed in a message: job, instance, then every label."""
    return labels.get("job", ""), labels.get("instance", ""), tuple(sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
