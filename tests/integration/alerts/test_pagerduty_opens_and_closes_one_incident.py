"""PagerDuty: one incident a group, opened and closed under one key, however often a letter is tried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from tests.unit.alerts.post import NOW_NS, alert, message
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import LetterRefused
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.channel import open_pagerduty
from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.config import PagerDutyConfig
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.thread import Thread, digests_of

pytestmark = pytest.mark.integration
TAKEN = said("202 Accepted", body="{}")


async def sent(one: Receiver, *letters: Letter) -> list[dict[str, Any]]:
    config = PagerDutyConfig(routing_key="env:PD", url=f"http://127.0.0.1:{one.port}/v2/enqueue")
    opening = Opening(VirtualClock(wall_ns=NOW_NS), {"env:PD": "the-key"}.__getitem__, "https://ops.example")
    channel = open_pagerduty(config, opening)
    try:
        for letter in letters:
            await channel.send(letter)
    finally:
        await channel.close()
    return [json.loads(body) for body in one.bodies]


async def test_the_end_closes_what_the_firing_opened() -> None:
    firing = message("n-1", [alert("a", severity="critical", summary="Away.", runbook="venue-away")])
    ended = message("n-2", [alert("a", severity="critical", ends_at_ns=NOW_NS)], status="resolved")
    async with receiver(TAKEN) as one:
        opened, again, closed = await sent(one, Letter(firing, "k-1"), Letter(firing, "k-1"), Letter(ended, "k-2"))

    assert opened == again
    assert ("trigger", "resolve") == (opened["event_action"], closed["event_action"])
    assert opened["dedup_key"] == closed["dedup_key"]
    assert ("critical", "[FIRING] Away. (critical, 1 firing)") == (
        opened["payload"]["severity"],
        opened["payload"]["summary"],
    )
    assert "https://ops.example/dashboard#alert-a" in [link["href"] for link in opened["links"]]
    assert "/runbooks/venue-away" in opened["payload"]["custom_details"]["text"]
    assert "payload" not in closed


async def test_a_severity_of_ones_own_becomes_one_that_pagerduty_knows() -> None:
    async with receiver(TAKEN) as one:
        (event,) = await sent(one, Letter(message("n", [alert("a", severity="page")]), "k"))

    assert "error" == event["payload"]["severity"]


async def test_a_call_about_a_missed_heartbeat_opens_one_too() -> None:
    call = replace(
        message("contact-1"), alerts=(), firing=(), group_labels={"alertname": "Missed", "monitor": "backup"}
    )
    async with receiver(TAKEN) as one:
        (event,) = await sent(one, Letter(call, "k"))

    assert "[FIRING] Missed backup (-, none)" == event["payload"]["summary"]


async def test_a_call_goes_on_with_the_incident_of_its_group_and_opens_one_for_each_other() -> None:
    own, other = Thread("r", message().group_key), Thread("r", "other")
    call = replace(message("contact-1", receiver="ann/pager"), group_key="contact-1", threads=(own, other))
    again = replace(call, notification_id="contact-2", group_key="contact-2")
    async with receiver(TAKEN) as one:
        group, *called = await sent(one, Letter(message(), "k-1"), Letter(call, "k-2"), Letter(again, "k-3"))

    assert [own.name, other.name] * 2 == [event["dedup_key"] for event in called]
    assert own.name == group["dedup_key"]
    assert ["other"] * 2 == [event["payload"]["group"] for event in called[1::2]]


async def test_digests_are_one_incident_until_the_last_of_it_is_over() -> None:
    ended = [alert("a", ends_at_ns=NOW_NS)]
    digest = replace(message("d-1"), group_key=digests_of("r").group_key, digest_of=30)
    of_ends = replace(message("d-2", ended, status="resolved"), group_key=digest.group_key, digest_of=30)
    of_ends = replace(of_ends, ends=(Thread("r", "spoke for itself"),))
    last = replace(message("n-9", ended, status="resolved"), ends=(digests_of("r"),))
    letters = [Letter(each, each.notification_id) for each in (digest, of_ends, last)]
    async with receiver(TAKEN) as one:
        events = await sent(one, *letters)

    own = Thread("r", message().group_key)
    assert [
        ("trigger", digests_of("r").name),
        ("resolve", Thread("r", "spoke for itself").name),
        ("resolve", own.name),
        ("resolve", digests_of("r").name),
    ] == [(event["event_action"], event["dedup_key"]) for event in events]


async def test_a_digest_of_ends_that_closes_nothing_sends_nothing() -> None:
    of_ends = replace(message("d", [alert("a", ends_at_ns=NOW_NS)], status="resolved"), digest_of=30)
    async with receiver(TAKEN) as one:
        assert [] == await sent(one, Letter(of_ends, "k"))


async def test_a_key_that_is_wrong_is_final_and_a_pause_is_heeded() -> None:
    firing = Letter(message(), "k")
    async with receiver(said("400 Bad Request"), said("429 Slowly", "Retry-After: 3")) as one:
        with pytest.raises(LetterRefused):
            await sent(one, firing)
        with pytest.raises(ReceiverBusy) as busy:
            await sent(one, firing)

    assert 3.0 == busy.value.retry_after_s
