"""Texts as the journal takes them: what cannot be stored is escaped, and what is endless is cut."""

from __future__ import annotations

from typing import TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
TEXT_MAX = 2_000
"""Characters of one text; a row holds 400 lines of a timeline and as many steps."""


def plain(text: str) -> str:
    """Return the text with lone surrogates escaped, and cut where it is longer than `TEXT_MAX`."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}… ({len(text) - TEXT_MAX} more characters)"


def plainly(body: S) -> S:
    """Return the same with every text plain."""
    texts = {name: value for name in body.__struct_fields__ if isinstance(value := getattr(body, name), str)}
    changed = {name: plain(text) for name, text in texts.items() if plain(text) != text}
    return msgspec.structs.replace(body, **changed) if changed else body
