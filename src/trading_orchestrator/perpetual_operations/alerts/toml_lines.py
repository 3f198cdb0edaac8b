"""On which line of a TOML file a key stands: the parser of the standard library does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_HEADER = re.compile(r"\s*(\[\[|\[)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_WORD = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_LONG_TEXT = re.compile(r'"""|\'\'\'')
Key = tuple[str, ...]


def line_of(text: str, key: Sequence[str]) -> int | None:
    """Return the line, from 1, of the key or of the nearest table around it; None when nothing of it is there.

    Entries of arrays count from 0: ("rules", "2", "for"). What stands inside an inline table or an array of one line
    has that line.
    """
    lines = dict(reversed([(place, number) for number, place in _places(text)]))
    for length in range(len(key), 0, -1):
        if (found := lines.get(tuple(key[:length]))) is not None:
            return found
    return None


def _places(text: str) -> Iterator[tuple[int, Key]]:
    """Yield each line on which a table or a key begins."""
    table: Key = ()
    counts: dict[Key, int] = {}
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if key is not None:
            yield number, (*table, *_words(key[1]))
            marks = _LONG_TEXT.findall(line)
            closing = marks[0] if len(marks) % 2 else ""
        elif header is not None:
            table = _numbered(_words(header[2]), counts, opens=header[1] == "[[")
            yield number, table


def _words(dotted: str) -> Key:
    return tuple(word.strip("\"'") for word in _WORD.findall(dotted))


def _numbered(words: Key, counts: dict[Key, int], *, opens: bool) -> Key:
    """Put the number of the newest entry behind each array of tables on the way."""
    place: Key = ()
    for position, word in enumerate(words, 1):
        place = (*place, word)
        if opens and position == len(words):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, str(counts[place]))
    return place
