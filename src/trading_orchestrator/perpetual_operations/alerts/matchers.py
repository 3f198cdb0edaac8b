"""Matchers: `name OP "value"` with = != =~ !~; regexes fully anchored, a missing label equals ""."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.labels import Labels

_FORM = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!=|!~|=)\s*(.*?)\s*", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE_QUOTE = re.compile('"')
_BETWEEN_COMMAS = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^,"])+', re.DOTALL)
# RE2 knows none of these; Python would accept them and could run for hours on a hostile value.
_NOT_IN_RE2 = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\t\n\v\f\r ",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
    "punct": r"!-/:-@\[-`{-~",
}


class MatcherRefused(Refused):
    """The text is no matcher. Facts: text."""

    code = "alerts.matcher_refused"


class Op(Enum):
    """How a label's value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, order=True)
class Matcher:
    """One comparison. Ordered by name, operator and value, as Alertmanager sorts a route's matchers."""

    name: str
    op: Op = field(compare=False)
    value: str
    _regex: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    def matches(self, labels: Labels) -> bool:
        """Return whether the label set agrees."""
        value = labels.get(self.name, "")
        if self._regex is None:
            return (value == self.value) is (self.op is Op.EQUAL)
        return (self._regex.fullmatch(value) is not None) is (self.op is Op.REGEX)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.op.value}"{escaped}"'


def matcher(name: str, op: Op, value: str) -> Matcher:
    """Return one comparison.

    Raises:
        MatcherRefused: the value is no regular expression.
    """
    regex = _regex(value) if op in {Op.REGEX, Op.NOT_REGEX} else None
    return Matcher(name, op, value, regex)


def parse_matcher(text: str) -> Matcher:
    """Return the matcher written as `name OP "value"`; the quotes may be missing.

    Raises:
        MatcherRefused: the message says what was expected.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MatcherRefused(f'expected name OP "value" with OP one of = != =~ !~, was {text!r}', text=text)
    return matcher(found[1], Op(found[2]), _unquoted(found[3], text))


def parse_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Return the matchers in their canonical order; a text may hold several: `{a="1", b=~"x|y"}`, braces or not."""
    found = [parse_matcher(one) for text in texts for one in _parted(text)]
    return tuple(sorted(found, key=lambda one: (one.name, one.value, one.op.value)))


def all_match(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Return whether every matcher agrees; an empty list agrees with everything."""
    return all(one.matches(labels) for one in matchers)


def shown(matchers: Sequence[Matcher]) -> str:
    """Return `{a="1",b=~"x"}`."""
    return "{" + ",".join(str(one) for one in matchers) + "}"


def _parted(text: str) -> list[str]:
    """Part the text at commas outside quotes.

    Source: Alertmanager pkg/labels ParseMatchers.
    """
    inside = text.strip().removeprefix("{").removesuffix("}")
    parts = [found for found in _BETWEEN_COMMAS.findall(inside) if found.strip()]
    return parts or [text]


def _unquoted(value: str, text: str) -> str:
    starts = value.startswith('"')
    inner = value[1:-1] if starts else value
    is_closed = not starts or (len(value) > 1 and value.endswith('"') and not _ends_escaped(value))
    if not is_closed or _BARE_QUOTE.search(_ESCAPE.sub("", inner)):
        raise MatcherRefused(f"expected the value in a pair of quotes or in none, was {text!r}", text=text)
    return _ESCAPE.sub(lambda found: {"n": "\n", '"': '"', "\\": "\\"}.get(found[1], found[0]), inner)


def _ends_escaped(value: str) -> bool:
    body = value[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _regex(value: str) -> re.Pattern[str]:
    if _NOT_IN_RE2.search(value):
        raise MatcherRefused(f"expected a regular expression without look-around or back-references, was {value!r}")
    translated = value.replace(r"\z", r"\Z")
    for name, inside in _POSIX.items():
        translated = translated.replace(f"[:{name}:]", inside)
    try:
        return re.compile(translated)
    except re.error as error:
        raise MatcherRefused(f"expected a regular expression, was {value!r}: {error}", text=value) from None
