"""A policy that names what is not there, or makes no sense, is refused before anything runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.policy import Policy, policy_of


def policy(route: dict[str, Any], **fields: Any) -> Policy:
    return policy_of(msgspec.convert({"route": route, "receivers": {"r": {}}, **fields}, AlertingConfig))


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({}, "needs a receiver"),
        ({"receiver": "r", "matchers": ["a=b"]}, "root route takes every alert"),
        ({"receiver": "r", "mute_time_intervals": ["night"]}, "root route takes every alert"),
        ({"receiver": "r", "continue": True}, "no sibling"),
        ({"receiver": "nobody"}, "nothing is named 'nobody'"),
        ({"receiver": "r", "routes": [{"receiver": "x"}]}, "route 0.0 {}/{}: receiver: nothing is named 'x'"),
        ({"receiver": "r", "routes": [{"mute_time_intervals": ["night"]}]}, "nothing is named 'night'"),
        ({"receiver": "r", "group_by": ["...", "a"]}, "stands alone"),
        ({"receiver": "r", "routes": [{"matchers": ["a"]}]}, "expected name OP"),
    ],
)
def test_a_wrong_route_is_refused(route: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        policy(route)

    assert said in refused.value.message


def test_a_wrong_inhibit_rule_is_refused() -> None:
    with pytest.raises(Refused):
        policy({"receiver": "r"}, inhibit_rules=[{"source_matchers": ["="]}])


def test_children_inherit_all_but_their_times() -> None:
    route = {
        "receiver": "r",
        "group_by": ["a"],
        "group_wait": 1,
        "routes": [{"matchers": ["x=y"], "mute_time_intervals": ["t"], "routes": [{"matchers": ["z=z"]}]}],
    }

    leaf = policy(route, time_intervals={"t": [{"years": ["2000"]}]}).routes["0.0.0"]

    assert ("r", frozenset({"a"}), 1_000_000_000) == (leaf.receiver, leaf.group_by, leaf.group_wait_ns)
    assert () == leaf.mute_times
    assert '{}/{x="y"}/{z="z"}' == leaf.key
