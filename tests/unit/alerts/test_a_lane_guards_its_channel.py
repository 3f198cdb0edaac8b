"""A lane: time-out, budget, breaker and pause, none of which ever holds back what is critical."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

import pytest

from tests.unit.alerts.post import Told, letter, settle
from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.circuit_breaker import CircuitOpen
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.channels.port import ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.lane import (
    ChannelFailed,
    ChannelLate,
    ChannelPaused,
    Lane,
)
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig


class Street:
    """A lane on a virtual clock."""

    def __init__(self, **settings: object) -> None:
        self.clock = VirtualClock()
        self.channel = Told()
        self.lane = Lane("mail", self.channel, LaneConfig(**settings), self.clock)  # type: ignore[arg-type]  # by name

    async def post(self, name: str, *, is_critical: bool = False) -> str:
        async with self.lane.turn(is_critical=is_critical):
            return await self.lane.carry(letter(name), is_critical=is_critical)

    async def end(self, deed: Coroutine[object, object, str], after_s: float) -> str:
        task = asyncio.ensure_future(deed)
        await settle(self.clock, after_s)
        assert task.done()
        return await task

    async def fail(self, times: int) -> None:
        self.channel.errors += [Transient("away") for _ in range(times)]
        for number in range(times):
            with pytest.raises(Transient):
                await self.post(f"failing-{number}")


async def test_a_channel_that_says_nothing_is_given_up_and_cancelled() -> None:
    street = Street(timeout_s=7.0)
    street.channel.hangs = True

    with pytest.raises(ChannelLate):
        await street.end(street.post("n"), 7.0)

    assert 1 == street.channel.cancelled
    assert HealthState.DEGRADED == street.lane.health().state


async def test_a_channels_own_bug_is_a_try_that_may_have_arrived_and_its_words_are_kept_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    street = Street()
    street.channel.errors = [RuntimeError("bug at https://hooks.example/T0KEN")]

    with pytest.raises(ChannelFailed, match="RuntimeError") as failed:
        await street.post("n")

    assert "the channel mail failed: RuntimeError in " in caplog.text
    assert "post.py" in caplog.text
    for kept in (caplog.text, failed.value.message, repr(failed.value.facts), street.lane.figures.last_error):
        assert "T0KEN" not in kept


async def test_beyond_the_budget_letters_wait_in_their_order_and_critical_ones_do_not() -> None:
    street = Street(budget_per_min=6, burst=2)
    posting = [asyncio.ensure_future(street.post(name)) for name in "abcd"]
    await settle(street.clock, 1)
    assert ["a", "b"] == street.channel.letters
    assert 2 == street.lane.figures.waiting

    await street.post("critical", is_critical=True)
    assert ["a", "b", "critical"] == street.channel.letters
    await settle(street.clock, 18)  # the critical one was paid for as well: c would have gone after 10 s
    assert ["a", "b", "critical"] == street.channel.letters
    await settle(street.clock, 30)

    assert ["a", "b", "critical", "c", "d"] == street.channel.letters
    assert ["200"] * 4 == [await one for one in posting]
    assert 0 == street.lane.figures.waiting


async def test_a_budget_of_zero_is_none() -> None:
    street = Street(budget_per_min=0, at_once=100)
    await asyncio.gather(*(street.post(f"n{number}") for number in range(100)))

    assert 100 == len(street.channel.letters)


async def test_only_so_many_tries_are_under_way_at_once_and_critical_ones_besides() -> None:
    street = Street(at_once=2, timeout_s=10)
    street.channel.hangs = True
    posting = [asyncio.ensure_future(street.post(name)) for name in "abc"]
    posting += [asyncio.ensure_future(street.post(f"critical-{number}", is_critical=True)) for number in range(9)]
    await settle(street.clock, 1)

    assert ["a", "b", *(f"critical-{number}" for number in range(8))] == sorted(street.channel.letters)
    await settle(street.clock, 10)
    assert {"c", "critical-8"} < set(street.channel.letters)
    await settle(street.clock, 10)
    assert [ChannelLate] * 12 == [type(one.exception()) for one in posting]


async def test_a_channel_that_keeps_failing_is_left_alone_until_a_probe_comes_back() -> None:
    street = Street()
    await street.fail(3)
    assert street.lane.is_down
    assert HealthState.UNHEALTHY == street.lane.health().state

    with pytest.raises(CircuitOpen) as refused:
        await street.post("n")
    assert 5.0 == refused.value.retry_after_s
    assert 3 == len(street.channel.letters)

    await settle(street.clock, 5)
    assert HealthState.UNHEALTHY == street.lane.health().state  # until a letter has come through
    assert "200" == await street.post("probe")
    assert HealthState.HEALTHY == street.lane.health().state


async def test_one_failure_that_nothing_followed_is_forgotten_after_a_while() -> None:
    street = Street()
    await street.fail(1)
    assert "mail failed: away" == street.lane.health().reason

    await settle(street.clock, 300)
    assert HealthState.HEALTHY == street.lane.health().state


async def test_what_is_critical_is_tried_though_the_circuit_is_open() -> None:
    street = Street()
    await street.fail(3)

    assert "200" == await street.post("critical", is_critical=True)


async def test_a_receiver_that_refuses_or_asks_for_a_pause_is_not_down() -> None:
    street = Street()
    for _ in range(5):
        street.channel.errors = [Refused("no"), ReceiverBusy("later")]
        with pytest.raises(Refused):
            await street.post("n")
        with pytest.raises(ReceiverBusy):
            await street.post("n")

    assert not street.lane.is_down
    assert HealthState.DEGRADED == street.lane.health().state  # it may be this one letter
    assert (5, 5) == (street.lane.figures.refused_total, street.lane.figures.failed_total)


async def test_a_receiver_that_refuses_one_letter_after_the_other_is_of_no_use_until_it_takes_one() -> None:
    street = Street()
    for number in range(3):
        street.channel.errors = [Refused("answered 401")]
        with pytest.raises(Refused):
            await street.post(f"n-{number}", is_critical=number == 1)

    assert not street.lane.is_down  # its circuit says nothing: whoever refuses is there, and every letter is tried
    assert HealthState.UNHEALTHY == street.lane.health().state
    assert "mail refuses every message: answered 401" == street.lane.health().reason
    await street.post("taken")
    assert HealthState.HEALTHY == street.lane.health().state


async def test_refusals_with_an_answer_between_them_are_not_in_a_row() -> None:
    street = Street()
    for number in range(6):
        street.channel.errors = [Refused("too long")] if number % 3 else []
        with suppress(Refused):
            await street.post(f"n-{number}")

    assert HealthState.DEGRADED == street.lane.health().state


async def test_the_time_a_receiver_names_counts_for_every_letter_but_critical_ones() -> None:
    street = Street()
    street.channel.errors = [ReceiverBusy("later", retry_after_s=30.0)]
    with pytest.raises(ReceiverBusy):
        await street.post("n")

    await settle(street.clock, 10)
    with pytest.raises(ChannelPaused) as paused:
        await street.post("other")
    assert 20.0 == paused.value.retry_after_s
    assert "mail asks for 20 s of pause" == street.lane.health().reason
    assert "200" == await street.post("critical", is_critical=True)
    await settle(street.clock, 20)
    assert "200" == await street.post("other")


async def test_a_lane_counts_what_it_did() -> None:
    street = Street()
    await street.post("a")
    await street.post("b")
    await street.fail(1)

    figures = street.lane.figures
    assert (2, 1, 0) == (figures.sent_total, figures.failed_total, figures.under_way)
    assert ("200", "away") == (figures.last_answer, figures.last_error)
