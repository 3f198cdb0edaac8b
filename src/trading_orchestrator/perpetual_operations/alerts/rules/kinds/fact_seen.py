"""A fact that somebody must hear about: its kind and what stands in it, and what ends the alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.labels import is_label_name
from trading_orchestrator.perpetual_operations.alerts.matchers import MatcherRefused, all_match, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.every_rule import EveryRule, NotNegative
from trading_orchestrator.perpetual_operations.alerts.rules.rule import check_texts, refused

VALUE_LEN_MAX = 200  # of a field's text; longer ones are cut


class FactRule(EveryRule, frozen=True, kw_only=True, tag="fact"):
    """Fires when a fact of this kind is written, until another ends it or nothing was seen for a while.

    fact: the kind, e.g. `order.quarantined`. where: matchers on its fields and on `stream`; a field within a field
        is named `outer_inner`.
    by: the fields that tell one alert from another and become its labels; `stream` is one of them unless left out.
    until: kinds of facts that end the alert of the same `by`, e.g. `order.resolved`.
    until_by: the fields of `by` as a fact of `until` may call them instead, e.g. `report_cl_ord_id`.
    firing_for: seconds after the last such fact when it ends by itself; 0: only `until` ends it.
    Texts may use every field as `{{ $labels.name }}`; `{{ $value }}` is how often it was seen.
    """

    fact: str
    where: tuple[str, ...] = ()
    by: tuple[str, ...] = ("stream",)
    until: tuple[str, ...] = ()
    until_by: tuple[str, ...] = ()
    firing_for: NotNegative = 0.0

    def check(self) -> None:
        """Refuse what can never fire or never end.

        Raises:
            RuleRefused: the sentence names rule and key.
        """
        check_texts(self.name, self.labels, self.annotations)
        check_texts(self.name, {}, {"summary": self.summary})
        if wrong := [name for name in self.by if not is_label_name(name)]:
            raise refused(self.name, "by", f"{wrong[0]!r} cannot be a label's name: letters, digits and _")
        try:
            parse_matchers(self.where)
        except MatcherRefused as error:
            raise refused(self.name, "where", error.message) from None
        if "." not in self.fact:
            raise refused(self.name, "fact", f"expected a kind such as `order.quarantined`, was {self.fact!r}")
        if self.for_:
            raise refused(self.name, "for", "a fact is seen at once; leave `for` out")
        if not self.until and not self.firing_for:
            raise refused(self.name, "firing_for", "name the facts that end it in `until`, or seconds in `firing_for`")

        if self.until_by and len(self.until_by) != len(self.by):
            raise refused(self.name, "until_by", f"expected a name for each of `by` ({len(self.by)})")

    def takes(self, kind: str, fields: Mapping[str, str]) -> bool:
        """Return whether this fact makes it fire."""
        return kind == self.fact and all_match(parse_matchers(self.where), fields)

    def key(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return the fields that tell one alert from another."""
        return {name: fields[name][:VALUE_LEN_MAX] for name in self.by if fields.get(name)}

    def end_keys(self, fields: Mapping[str, str]) -> tuple[dict[str, str], ...]:
        """Return which alerts a fact of `until` may end: by the names of `by`, and by those of `until_by`."""
        named = dict(zip(self.by, self.until_by, strict=False))
        return self.key(fields), self.key({name: fields.get(other, "") for name, other in named.items()})


def fields_of(stream: str, body: bytes) -> dict[str, str]:
    """Return a fact's fields as texts: `{"a": {"b": 1}}` is `a_b="1"`; lists stay JSON."""
    decoded = msgspec.json.decode(body)
    found = dict(_flat("", decoded)) if isinstance(decoded, dict) else {}
    return {**found, "stream": stream}


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        match value:
            case dict():
                yield from _flat(f"{prefix}{name}_", value)
            case str():
                yield f"{prefix}{name}", value
            case None:
                continue
            case _:
                yield f"{prefix}{name}", msgspec.json.encode(value).decode()
