"""What a case itself forgives: another instant that it names, or what it describes as wanted instead.

The first is `version_sensitive`, the second `wanted_instead`. Nothing is forgiven where nothing is expected, and of
messages one more or one less unless the case speaks of several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance import alert_comparison as compare

Case = Mapping[str, Any]
Message = Mapping[str, Any]
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NO_INSTANT = re.compile(r"\d+\.\d+\.\d+|[a-z]+-\d+")  # a version, another case
NAMED_T = re.compile(r"\bt\s*=\s*(\d+(?:\.\d+)?)")
FEWER = re.compile(r"\b(no|not|never|none|once|only|without)\b")
SEVERAL = re.compile(r"\b(each|every|all|both|two)\b")


def forgiven_checks(case: Case, wrong: Sequence[int], shown: Sequence[Any]) -> bool:
    """Return whether a rule's one wrong check is an instant that the case calls ambiguous.

    Args:
        wrong: the numbers of the checks that differ. shown: what was found at each check.
    """
    checks = case["checks"]
    text = case.get("version_sensitive", "")
    if not text or len(wrong) != 1 or not any(check["alerts"] for check in checks):
        return False
    (number,) = wrong
    named = {float(t) for t in NAMED_T.findall(text)}
    if named:
        return float(checks[number]["t"]) in named
    return "one step" in text and _is_an_edge_one_step_off(checks, number, shown[number])


def _is_an_edge_one_step_off(checks: Sequence[Any], number: int, shown: Any) -> bool:
    """An edge is where two checks differ; one step off, it shows what is expected on its other side."""
    sides = [checks[other]["alerts"] for other in (number - 1, number + 1) if 0 <= other < len(checks)]
    expected = _sorted(checks[number]["alerts"])
    return any(_sorted(side) != expected and _sorted(side) == _sorted(shown) for side in sides)


def forgiven_messages(case: Case, expected: Sequence[Message], sent: Sequence[Message]) -> bool:
    """Return whether a timeline's difference is the one that the case itself allows."""
    if not expected:
        return False
    if "wanted_instead" in case:
        return _is_wanted(case, expected, sent)
    return "version_sensitive" in case and _is_named_elsewhen(case["version_sensitive"], expected, sent)


def _is_named_elsewhen(text: str, expected: Sequence[Message], sent: Sequence[Message]) -> bool:
    """The same messages in their order; one of them at an instant that the case names for another version."""
    if [compare.content(one) for one in expected] != [compare.content(one) for one in sent]:
        return False
    late = [(one, other) for one, other in zip(expected, sent, strict=True) if not _in_time(one, other["t"])]
    return len(late) == 1 and any(_in_time({**late[0][0], "t": at}, late[0][1]["t"]) for at in _numbers(text))


def _is_wanted(case: Case, expected: Sequence[Message], sent: Sequence[Message]) -> bool:
    """Messages more, of a status that the text names and at a tick; or less, if it says so; or all, a tick apart."""
    text = case["wanted_instead"]
    most = len(case["events"]) if SEVERAL.search(text) else 1
    if len(sent) == len(expected):
        return _is_a_tick_apart(case, expected, sent)
    if 0 < len(sent) - len(expected) <= most:
        more = _left(sent, expected)
        statuses = [status for status in ("firing", "resolved") if status in text] or ["firing", "resolved"]
        return more is not None and all(one["status"] in statuses and _is_at_a_tick(case, one["t"]) for one in more)
    return 0 < len(expected) - len(sent) <= most and bool(FEWER.search(text)) and _left(expected, sent) is not None


def _left(long: Sequence[Message], short: Sequence[Message]) -> list[Message] | None:
    """Return what `long` has beyond `short`, where all of `short` is in it, in order and in time."""
    left, rest = [], list(short)
    for one in long:
        if rest and compare.content(one) == compare.content(rest[0]) and _are_near(one, rest[0]):
            rest.pop(0)
        else:
            left.append(one)
    return None if rest else left


def _are_near(one: Message, other: Message) -> bool:
    expected, sent = (one, other) if "tolerance" in one else (other, one)
    return sent["t"] is not None and _in_time(expected, sent["t"])


def _is_a_tick_apart(case: Case, expected: Sequence[Message], sent: Sequence[Message]) -> bool:
    if [compare.content(one) for one in expected] != [compare.content(one) for one in sent]:
        return False
    tick = case["config"]["route"].get("group_interval", 300)
    pairs = zip(expected, sent, strict=True)
    return all(_in_time({**one, "tolerance": one["tolerance"] + tick}, other["t"]) for one, other in pairs)


def _is_at_a_tick(case: Case, at: float) -> bool:
    """A tick follows an event within the longest wait of a group."""
    route = case["config"]["route"]
    longest = max(route.get("group_interval", 300), route.get("group_wait", 30))
    return any(0 <= at - event["t"] <= longest for event in case["events"])


def forgiven_calls(case: Case, expected: Sequence[Message], sent: Sequence[Message]) -> bool:
    """Return whether an escalation differs only as the case wants it: sooner by the rungs on which nobody stands.

    Where the case names minutes, only calls that are expected then may come sooner.
    """
    text = case.get("wanted_instead", "")
    if not text or not expected or len(expected) != len(sent):
        return False
    named, sooner = set(_numbers(text)), _sums(_empty_delays(case["config"]))
    pairs = zip(_ordered(expected), _ordered(sent), strict=True)
    return all(_is_called(one, other, sooner, named) for one, other in pairs)


def _is_called(expected: Message, sent: Message, sooner: set[float], named: set[float]) -> bool:
    about = expected.get("alerts") or ([expected["alert"]] if "alert" in expected else None)
    if (expected["to"], expected["channel"]) != (sent["to"], sent["channel"]):
        return False
    if about is not None and sorted(about) != sorted(sent["alerts"]):
        return False
    shift = round(expected["t_min"] - sent["t_min"], 9)
    is_named = not named or bool(named & {expected["t_min"], sent["t_min"], shift})
    return shift == 0 or (shift in sooner and is_named)


def _empty_delays(config: Mapping[str, Any]) -> list[float]:
    users, steps = config["users"], config["policy"]["steps"]
    return [float(step["delay_min"]) for step in steps if not any(users.get(one) for one in step["targets"])]


def _sums(delays: Sequence[float]) -> set[float]:
    """Every loop of a ladder meets its empty rungs again."""
    found = {0.0}
    for delay in [*delays] * 10:
        found |= {total + delay for total in found}
    return found - {0.0}


def _numbers(text: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(NO_INSTANT.sub(" ", text))]


def _ordered(messages: Sequence[Message]) -> list[Message]:
    return sorted(messages, key=lambda one: (one["t_min"], one["to"], one["channel"]))


def _in_time(expected: Message, at: float) -> bool:
    return expected["t"] is None or abs(expected["t"] - at) <= expected["tolerance"] + compare.ROUNDING_S


def _sorted(alerts: Sequence[Any]) -> list[str]:
    return sorted(json.dumps(alert, sort_keys=True) for alert in alerts)
