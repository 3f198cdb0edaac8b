"""Message texts with holes: `{{ annotations.summary or labels.alertname or "no name" }}`. Nothing in them runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest

_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WORD = re.compile(r'\s*(?:"(?P<text>[^"]*)"|(?P<path>[a-z_]+(?:\.[A-Za-z_][A-Za-z0-9_]*)?))\s*')
Scope = Mapping[str, str | Mapping[str, str]]


class TemplateRefused(Refused):
    """The text has a hole that can never be filled. Facts: hole."""

    code = "alerts.template_refused"


@dataclass(frozen=True)
class _Words:
    """The content of one hole: the first of these that is not empty."""

    words: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Template:
    """A text that was read. `parts` are plain texts and holes, in their order."""

    parts: tuple[str | _Words, ...]

    def filled(self, scope: Scope) -> str:
        """Return the text with its holes filled; what is not there is empty."""
        return "".join(part if isinstance(part, str) else _first(part, scope) for part in self.parts)


def read_template(text: str, known: Mapping[str, bool]) -> Template:
    """Return the template.

    Args:
        known: the names that a hole may ask for, and whether one is a mapping (`labels.host`) or a text (`status`).

    Raises:
        TemplateRefused: a hole is not closed, not of this form, or asks for a name that is not known.
    """
    return Template(tuple(_parts(text, known)))


def _parts(text: str, known: Mapping[str, bool]) -> Iterator[str | _Words]:
    at = 0
    for hole in _HOLE.finditer(text):
        yield _plain(text[at : hole.start()])
        yield _words(hole[1], known)
        at = hole.end()
    yield _plain(text[at:])


def _plain(text: str) -> str:
    for mark in ("{{", "}}"):
        if mark in text:
            raise TemplateRefused(f"expected every {{{{ to have its }}}}, was {text.strip()!r}", hole=text)
    return text


def _words(inside: str, known: Mapping[str, bool]) -> _Words:
    words = []
    for one in re.split(r"\bor\b(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", inside):
        found = _WORD.fullmatch(one)
        if found is None:
            raise TemplateRefused(
                f'expected a name, labels.NAME or "a text", joined by `or`, was {inside.strip()!r}', hole=inside
            )
        if found["path"] is not None:
            _check(found["path"], known)
        words.append((found["path"] or found["text"], found["path"] is not None))
    return _Words(tuple(words))


def _check(path: str, known: Mapping[str, bool]) -> None:
    name, _, key = path.partition(".")
    if name not in known:
        raise TemplateRefused(f"nothing is called {name!r} here; {nearest(name, list(known))}", hole=path)
    if known[name] != bool(key):
        raise TemplateRefused(f"expected {name}{'.NAME' if known[name] else ' alone'}, was {path!r}", hole=path)


def _first(hole: _Words, scope: Scope) -> str:
    for word, is_path in hole.words:
        if text := (_found(word, scope) if is_path else word):
            return text
    return ""


def _found(path: str, scope: Scope) -> str:
    name, _, key = path.partition(".")
    found = scope.get(name, "")
    return found if isinstance(found, str) else found.get(key, "")
