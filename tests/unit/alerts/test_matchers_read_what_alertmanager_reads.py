"""Matchers: every operator, anchored regexes, missing labels, quotes and escapes; what cannot be read is refused."""

from __future__ import annotations

import pytest

from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint, shown
from trading_orchestrator.perpetual_operations.alerts.matchers import MatcherRefused, parse_matcher, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.matchers import shown as matchers_shown


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        ('a="x"', [{"a": "x"}], [{"a": "xx"}, {}]),
        ('a!="x"', [{"a": "y"}, {}], [{"a": "x"}]),
        ('a=~"x|yy"', [{"a": "x"}, {"a": "yy"}], [{"a": "xx"}, {"a": "x\n"}, {}]),
        ('a!~"x.*"', [{"a": "y"}, {}], [{"a": "x1"}]),
        ('a=""', [{}, {"a": ""}], [{"a": "x"}]),
        ('a=~".*"', [{}, {"a": "x"}], []),
        ('a=~".+"', [{"a": "x"}], [{}]),
        (" a = x ", [{"a": "x"}], [{"a": "x "}]),
        (r'a="say \"hi\"\n\\"', [{"a": 'say "hi"\n\\'}], [{}]),
        ('a=~"[[:digit:]]+"', [{"a": "12"}], [{"a": "x"}]),
        ('a=~"(?i)x"', [{"a": "X"}], [{"a": "Y"}]),
        (r"a=x\y", [{"a": r"x\y"}], [{"a": "xy"}]),
        ('a="x,y"', [{"a": "x,y"}], [{"a": "x"}]),
    ],
)
def test_a_matcher_takes_what_it_means(text: str, matching: list[dict[str, str]], others: list[dict[str, str]]) -> None:
    matcher = parse_matcher(text)

    assert [True] * len(matching) == [matcher.matches(labels) for labels in matching]
    assert [False] * len(others) == [matcher.matches(labels) for labels in others]


@pytest.mark.parametrize("text", ["", "a", '="x"', 'a="x', 'a=x"', 'a=~"("', 'a=~"(?=x)"', r'a=~"(x)\1"', 'a=~"x++"'])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(MatcherRefused, match="expected"):
        parse_matcher(text)


@pytest.mark.parametrize("text", ['a="x"y"', 'a=x"y', 'a="x" b="y"', 'a="x'])
def test_a_quote_that_stands_alone_is_refused(text: str) -> None:
    with pytest.raises(MatcherRefused, match="pair of quotes"):
        parse_matcher(text)


@pytest.mark.parametrize(
    "text", ['a="1",b=~"x|y"', '{a="1", b=~"x|y"}', ' { b=~"x|y" , a=1 , } ', r'a="1",b=~"x|y",c!="\",\""']
)
def test_one_text_may_hold_several(text: str) -> None:
    assert '{a="1",b=~"x|y"' == matchers_shown(parse_matchers([text]))[:15]


def test_matchers_are_shown_in_one_order() -> None:
    assert '{a="1",b=~"x|y"}' == matchers_shown(parse_matchers(['b=~"x|y"', "a=1"]))


def test_a_label_set_is_named_as_alertmanager_names_it() -> None:
    assert "cbf29ce484222325" == fingerprint({})  # FNV-1a's own offset
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})
    assert '{a="x\\"y", b="2"}' == shown({"b": "2", "a": 'x"y'})
