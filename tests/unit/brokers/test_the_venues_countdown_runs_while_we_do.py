"""The cancel-all countdown: refreshed while the seat may act, ended by a graceful stop, left alone otherwise."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from trading_orchestrator.brokers.budget import BudgetConfig, RequestBudget
from trading_orchestrator.brokers.capabilities import budget_of, countdown_of
from trading_orchestrator.brokers.port import Broker, NoAnswer
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.trading.countdown import Countdown

EVERY_S = 15.0


class Venue:
    """Cancels everything when its countdown ends; answers nothing while `silent`."""

    def __init__(self, clock: VirtualClock, countdown_s: float = 60.0) -> None:
        self.countdown_s = countdown_s
        self.budget = RequestBudget(BudgetConfig(), clock=clock)
        self.silent = False
        self.asked: list[float] = []
        self.ends_s: float | None = None
        self._clock = clock

    async def cancel_all_after(self, seconds: float) -> None:
        self.asked.append(seconds)
        if self.silent:
            raise NoAnswer("no answer")
        self.ends_s = self._clock.monotonic_ns() / 1e9 + seconds if seconds else None

    def has_canceled(self) -> bool:
        return self.ends_s is not None and self._clock.monotonic_ns() / 1e9 >= self.ends_s


class Wrapped:
    """A broker around another one."""

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Passing:
    """A broker that passes on what it does not know, as the one that measures does."""

    def __init__(self, broker: object) -> None:
        self._broker = broker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)


class TestSeat:
    __test__ = False
    acts = True

    def may_act(self) -> bool:
        return self.acts


class Running:
    def __init__(self, countdown_s: float = 60.0) -> None:
        self.clock = VirtualClock()
        self.venue = Venue(self.clock, countdown_s)
        self.seat = TestSeat()
        self.countdown = Countdown(cast(Broker, Wrapped(self.venue)), cast(Seat, self.seat), self.clock)
        self.task = asyncio.create_task(self.countdown.keep())

    async def run(self, seconds: float) -> None:
        await self.clock.advance(seconds)


async def test_it_is_refreshed_four_times_within_its_length() -> None:
    running = Running()

    await running.run(3600.0)

    assert 3600 / EVERY_S + 1 == len(running.venue.asked)
    assert not running.venue.has_canceled()
    running.task.cancel()


async def test_three_lost_refreshes_change_nothing_and_a_dead_host_cancels() -> None:
    running = Running()
    await running.run(1.0)
    running.venue.silent = True
    await running.run(3 * EVERY_S)
    running.venue.silent = False
    await running.run(EVERY_S)
    assert not running.venue.has_canceled()

    running.task.cancel()
    await running.run(61.0)

    assert running.venue.has_canceled()


async def test_without_the_right_to_act_nothing_is_asked() -> None:
    running = Running()
    await running.run(1.0)
    running.seat.acts = False
    asked = len(running.venue.asked)

    await running.run(600.0)
    await running.countdown.clear()

    assert asked == len(running.venue.asked)
    running.task.cancel()


async def test_a_graceful_stop_ends_it_within_a_second_whatever_the_venue_does() -> None:
    running = Running()
    await running.run(1.0)
    running.task.cancel()

    await running.countdown.clear()
    assert (None, 0.0) == (running.venue.ends_s, running.venue.asked[-1])
    running.venue.silent = True
    await running.countdown.clear()


async def test_a_venue_without_one_is_asked_nothing() -> None:
    running = Running(countdown_s=0.0)

    await running.run(600.0)
    await running.countdown.clear()

    assert (True, []) == (running.task.done(), running.venue.asked)


def test_capabilities_are_found_through_wrappers() -> None:
    venue = Venue(VirtualClock())
    wrapped = cast(Broker, Wrapped(Wrapped(venue)))

    assert (venue, venue.budget) == (countdown_of(wrapped), budget_of(wrapped))
    passing = countdown_of(cast(Broker, Passing(venue)))
    assert (60.0, venue.budget) == (passing and passing.countdown_s, budget_of(cast(Broker, Passing(venue))))
    assert (None, None) == (countdown_of(cast(Broker, Wrapped(None))), budget_of(cast(Broker, object())))
