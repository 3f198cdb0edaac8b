"""Quiet but healthy never reconnects; mute does, by a witness or a probe; a failed probe is no information."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest

from trading_orchestrator.brokers.ccxt.probes import AccountProbe, MarketProbe
from trading_orchestrator.brokers.port import Balance, KeyRefused, NoAnswer
from trading_orchestrator.brokers.stream_watch import StreamWatch
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.market.port import Quote

QUIET_S, LAG_S = 10.0, 2.0
DAY_S = 86_400.0


class Watched:
    """A stream whose venue is scripted: `answer` is what a probe brings."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.watch = StreamWatch("test", quiet_s=QUIET_S, lag_s=LAG_S, clock=self.clock)
        self.answer: bool | OrchestratorError = False
        self.dropped: list[str] = []
        self.task = asyncio.create_task(self.watch.keep(self.probe, self.dropped.append))
        self.watch.connected()

    async def probe(self) -> bool:
        if isinstance(self.answer, OrchestratorError):
            raise self.answer
        return self.answer

    async def run(self, seconds: float) -> None:
        await self.clock.advance(seconds)


@pytest.fixture
async def stream() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    watched.task.cancel()


async def test_f25_quiet_but_healthy_is_probed_and_left_in_peace(stream: Watched) -> None:
    await stream.run(DAY_S)

    assert (DAY_S / QUIET_S, []) == (round(stream.watch.probes, -1), stream.dropped)


async def test_a_busy_stream_is_not_even_probed(stream: Watched) -> None:
    for _ in range(1000):
        await stream.run(1.0)
        stream.watch.heard()

    assert (0, []) == (stream.watch.probes, stream.dropped)


async def test_f20_mute_is_shown_by_a_probe_and_one_lag_for_the_frame(stream: Watched) -> None:
    stream.answer = True

    await stream.run(QUIET_S + LAG_S - 0.1)
    assert [] == stream.dropped
    await stream.run(0.2)

    assert 1 == len(stream.dropped)


async def test_a_frame_that_comes_within_the_lag_excuses_the_stream(stream: Watched) -> None:
    stream.answer = True
    await stream.run(QUIET_S + LAG_S / 2)

    stream.watch.heard()
    await stream.run(LAG_S)

    assert [] == stream.dropped


async def test_f20_mute_is_shown_by_a_witness_within_the_lag(stream: Watched) -> None:
    await stream.run(1.0)
    stream.watch.witnessed(stream.clock.monotonic_ns())

    await stream.run(LAG_S + 0.1)

    assert (1, 0) == (len(stream.dropped), stream.watch.probes)


async def test_a_witness_that_the_stream_confirms_is_forgotten(stream: Watched) -> None:
    for _ in range(100):
        await stream.run(1.0)
        stream.watch.witnessed(stream.clock.monotonic_ns())
        await stream.run(0.5)
        stream.watch.heard()

    assert [] == stream.dropped


async def test_what_happened_before_the_connection_is_no_witness(stream: Watched) -> None:
    before_ns = stream.clock.monotonic_ns()
    await stream.run(5.0)
    stream.watch.connected()

    stream.watch.witnessed(before_ns)
    await stream.run(LAG_S * 2)

    assert [] == stream.dropped


async def test_a_stream_that_is_down_is_neither_probed_nor_dropped(stream: Watched) -> None:
    stream.answer = True
    stream.watch.lost()

    await stream.run(DAY_S)
    assert (0, []) == (stream.watch.probes, stream.dropped)
    stream.watch.connected()
    await stream.run(QUIET_S + LAG_S + 1)

    assert 1 == len(stream.dropped)


async def test_it_is_down_from_its_loss_until_a_connection_or_a_frame(stream: Watched) -> None:
    stream.watch.lost()
    await stream.run(4.0)
    stream.watch.lost()
    assert 4.0 == stream.watch.state.down_s

    stream.watch.heard()
    await stream.run(DAY_S)
    assert 0.0 == stream.watch.state.down_s
    stream.watch.lost()
    stream.watch.connected()
    await stream.run(DAY_S)

    assert 0.0 == stream.watch.state.down_s


async def test_a_stream_that_speaks_without_word_of_a_connection_is_probed(stream: Watched) -> None:
    stream.watch.lost()
    await stream.run(1.0)
    stream.watch.heard()
    stream.answer = True

    await stream.run(QUIET_S + LAG_S + 1)

    assert 1 == len(stream.dropped)


async def test_probes_without_an_answer_move_the_stream_once_until_one_is_answered(stream: Watched) -> None:
    stream.answer = NoAnswer("no answer")

    for _ in range(100):
        await stream.run(QUIET_S + 1)
        stream.watch.connected()
    assert ["3 probes in a row got no answer"] == stream.dropped
    stream.answer = False
    await stream.run(QUIET_S + 1)
    stream.answer = NoAnswer("no answer")
    await stream.run(QUIET_S * 4)

    assert 2 == len(stream.dropped)


async def test_a_venue_that_asked_for_a_pause_is_not_a_broken_way(stream: Watched) -> None:
    stream.answer = Transient("banned", retry_after_s=60.0)

    await stream.run(3600.0)

    assert [] == stream.dropped


async def test_a_key_that_is_refused_is_not_a_broken_way(stream: Watched) -> None:
    stream.answer = KeyRefused("-2015 Invalid API-key")

    await stream.run(3600.0)

    assert [] == stream.dropped


class Venue:
    """What a probe's dialect answers."""

    def __init__(self) -> None:
        self.free = Decimal(100)
        self.bid = Decimal("1.1")
        self.while_asked: Callable[[], None] = lambda: None

    async def balances(self) -> list[Balance]:
        self.while_asked()
        return [Balance("EUR", self.free, Decimal(0))]

    async def quotes(self, symbols: list[str]) -> list[Quote]:
        told = quote(self.bid)
        self.while_asked()
        return [told]


def quote(bid: Decimal) -> Quote:
    return Quote("EUR/USDT", bid, Decimal(1), bid + 1, Decimal(1), at_ns=0, received_ns=0)


async def seen(look: Callable[[], Awaitable[bool]], *between: Callable[[], object]) -> list[bool]:
    told = [await look()]
    for happens in between:
        happens()
        told.append(await look())
    return told


async def test_balances_that_moved_without_a_frame_were_missed() -> None:
    venue, watch = Venue(), StreamWatch("t", quiet_s=1, lag_s=1, clock=VirtualClock())
    look = AccountProbe(venue, watch).differs  # type: ignore[arg-type]

    def moved() -> None:
        venue.free += 1

    def moved_and_told() -> None:
        moved()
        watch.heard()

    def moved_in_a_gap() -> None:
        moved()
        watch.connected()

    assert [False, False, True, False, False] == await seen(look, lambda: None, moved, moved_and_told, moved_in_a_gap)


async def test_a_quote_that_the_reader_does_not_know_is_shown_and_told() -> None:
    venue, shown = Venue(), list[Quote]()
    probe = MarketProbe(venue, ["EUR/USDT"], shown.append)  # type: ignore[arg-type]

    def moved() -> None:
        venue.bid += 1

    def moved_and_told() -> None:
        moved()
        probe.show(quote(venue.bid))

    assert [True, False, True, False] == await seen(probe.differs, lambda: None, moved, moved_and_told)
    assert [Decimal("1.1"), Decimal("2.1"), Decimal("3.1")] == [each.bid_px for each in shown]


async def test_what_the_stream_brought_while_we_asked_is_newer_than_the_answer() -> None:
    venue, shown = Venue(), list[Quote]()
    probe = MarketProbe(venue, ["EUR/USDT"], shown.append)  # type: ignore[arg-type]
    venue.while_asked = lambda: probe.show(quote(Decimal(9)))

    assert not await probe.differs()
    assert [Decimal(9)] == [each.bid_px for each in shown]
