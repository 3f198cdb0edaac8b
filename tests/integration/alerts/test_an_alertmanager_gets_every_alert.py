"""Forwarding to an Alertmanager: every alert a message stands for, however many, and all of them at every try."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from tests.unit.alerts.post import NOW_NS, alert, message
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.channel import open_alertmanager
from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.config import AlertmanagerConfig
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import ReceiverFailing
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.rfc3339 import rfc3339

pytestmark = pytest.mark.integration
LISTED = [alert(f"listed-{number}") for number in range(100)]
OTHERS = [alert(f"other-{number}", ends_at_ns=NOW_NS if number % 2 else None) for number in range(1_150)]
LETTER = Letter(replace(message("n-1", LISTED), unlisted=1_150), "key-1", lambda: OTHERS)


async def sent(one: Receiver) -> str:
    config = AlertmanagerConfig(url=f"http://127.0.0.1:{one.port}/")
    channel = open_alertmanager(config, Opening(VirtualClock(wall_ns=NOW_NS), str))
    try:
        return await channel.send(LETTER)
    finally:
        await channel.close()


async def test_all_of_them_go_on_in_posts_of_a_thousand() -> None:
    async with receiver(said("200 OK")) as one:
        answer = await sent(one)

    posts: list[list[dict[str, Any]]] = [json.loads(body) for body in one.bodies]
    assert [1000, 250] == [len(post) for post in posts]
    assert 1250 == len({each["labels"]["host"] for post in posts for each in post})
    assert 2 == len({each["endsAt"] for post in posts for each in post})
    assert {"key-1"} == {one.headers(number)["idempotency-key"] for number in range(2)}
    assert "200, alerts: 1250" == answer


async def test_one_post_that_fails_is_a_letter_that_is_tried_again_whole() -> None:
    async with receiver(said("200 OK"), said("500 Sorry"), said("200 OK")) as one:
        with pytest.raises(ReceiverFailing):
            await sent(one)
        await sent(one)

    assert [1000, 250, 1000, 250] == [len(json.loads(body)) for body in one.bodies]


async def test_what_fires_is_posted_again_with_an_end_of_its_own() -> None:
    async with receiver(said("200 OK")) as one:
        config = AlertmanagerConfig(url=f"http://127.0.0.1:{one.port}/")
        channel = open_alertmanager(config, Opening(VirtualClock(wall_ns=NOW_NS), str))
        await channel.tell_again(LISTED)
        await channel.close()

    told: list[dict[str, Any]] = json.loads(one.bodies[0])
    assert (1, 100) == (len(one.bodies), len(told))
    assert {rfc3339(NOW_NS + 300_000_000_000)} == {each["endsAt"] for each in told}
