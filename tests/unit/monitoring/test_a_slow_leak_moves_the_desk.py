"""A trading desk leaks 3 MB an hour: the line is named, another node takes the desk in time, no order is lost."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.desk import strategies
from tests.unit.desk.strategies import Hoarder
from tests.unit.desk.world import SYMBOL, TICK, Node, World
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import (
    HandoverAsked,
    Judged,
    MemoryLeakDetector,
)
from trading_orchestrator.perpetual_operations.monitoring.leaks.relief import Relief
from trading_orchestrator.perpetual_operations.monitoring.leaks.tracer import TracemallocTracer
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.trading.facts import OrderIntended

MB, HOUR_S = 1e6, 3600.0
BASE_BYTES, LIMIT_BYTES = 100 * MB, 130 * MB
LEAK_BYTES_S = 3 * MB / HOUR_S
QUOTE_EVERY_S, ORDER_EACH = 10, 6
LONGEST_S = 12 * HOUR_S
AFTERWARDS_S = 600
UNHURRIED: dict[str, Any] = {"poll_trades_s": 30.0, "poll_orders_s": 30.0, "poll_overlap_s": 60.0}
"""Hours of virtual time need no poll a second: streams tell of every fill."""


class Trading:
    """Two nodes with one desk, and the leak detector of the first: its memory is a base and what its strategy keeps."""

    def __init__(self, world: World) -> None:
        self.world = world
        params = {"keeps_bytes": int(LEAK_BYTES_S * QUOTE_EVERY_S), "each": ORDER_EACH}
        self.first, self.heir = (world.node("Hoarder", params, **UNHURRIED) for _ in range(2))
        self.quotes = 0
        self.facts: list[tuple[str, object]] = []
        self.asked = asyncio.Event()
        self._sample = Gauge(Path("/")).take(1, 1, LoopReadings())
        self._looking: asyncio.Task[None] | None = None
        self.detector = MemoryLeakDetector(
            LeaksConfig(),
            node="node-0",
            limit_bytes=int(LIMIT_BYTES),
            clock=world.clock,
            tracer=TracemallocTracer(),
            relief=Relief(lambda: int(self.resident_bytes())),
            lag_s=lambda: 0.0,
            tell=self._tell,
            hand_over=self._hand_over,
        )

    async def _tell(self, kind: str, body: object) -> None:
        self.facts.append((kind, body))

    async def _hand_over(self, because: str) -> bool:
        self.asked.set()
        return True

    def resident_bytes(self) -> float:
        """Return the memory of the first node."""
        shift = self.first.desk._shift
        performers = shift.floor.performers if shift is not None else []
        hoarders = [each.strategy for each in performers if isinstance(each.strategy, Hoarder)]
        return BASE_BYTES + sum(len(piece) for hoarder in hoarders for piece in hoarder.kept)

    async def second(self, number: int) -> None:
        """Let one second pass: a quote now and then, a sample, and the detector's look."""
        if number % QUOTE_EVERY_S == 0:
            self.quotes += 1
            bid = TICK * (11_000 + self.quotes % 7)
            self.world.venue.show_quote(SYMBOL, bid, bid + TICK, TICK * 10_000_000)
        await self.world.clock.advance(1.0)
        self.detector.note(msgspec.structs.replace(self._sample, process_rss_bytes=int(self.resident_bytes())))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.detector.look())
        if tracemalloc.is_tracing():
            await asyncio.sleep(0.001)  # the snapshot is taken on a thread

    def of_kind(self, kind: str) -> list[object]:
        return [body for name, body in self.facts if name == kind]


@pytest.mark.long
async def test_it_is_named_the_desk_moves_in_order_and_nothing_is_lost(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        trading = Trading(world)
        await world.quote("1.1000")
        await world.start(trading.first)
        await world.warm(trading.heir)
        began_ns, seconds = world.clock.boot_ns(), 0
        while not trading.asked.is_set() and seconds < LONGEST_S:
            seconds += 1
            await trading.second(seconds)
        level_bytes, took_h = trading.resident_bytes(), (world.clock.boot_ns() - began_ns) / 1e9 / HOUR_S

        await hand_over(world, trading.first, trading.heir)
        for _ in range(AFTERWARDS_S):
            seconds += 1
            await trading.second(seconds)
        await world.run(5.0)

        print(f"\n3 MB/h: handed over after {took_h:.1f} h at {level_bytes / MB:.1f} MB of {LIMIT_BYTES / MB:.0f}")
        (judged, *_) = trading.of_kind("leak.judged")
        (asked,) = trading.of_kind("memory.handover_asked")
        assert isinstance(judged, Judged)
        assert isinstance(asked, HandoverAsked)
        assert f"{strategies.__file__}:{line_of('self.kept.append')} keeps" in judged.sentence
        assert BASE_BYTES < level_bytes < LIMIT_BYTES
        await assert_no_order_lost(world, trading)


async def hand_over(world: World, first: Node, heir: Node) -> None:
    """The first leaves in order and its heir takes the desk, as the node's places do."""
    await world.until_done(first.desk.leave(5.0))
    await world.take(heir, Succession.HANDED_OVER)


async def assert_no_order_lost(world: World, trading: Trading) -> None:
    """Every decision is one intent, every intent one order at the venue, every fill booked."""
    intents = [body for body in await world.facts("order.intended") if isinstance(body, OrderIntended)]
    ours = Counter(body.order.cl_ord_id for body in intents)
    theirs = Counter(report.cl_ord_id for report in world.venue.orders())
    assert ours == theirs
    assert {1} == set(ours.values())
    assert trading.quotes // ORDER_EACH == len(ours)
    assert {"filled"} == set(await world.order_states())
    assert world.venue_position_qty() == await world.position_qty()


def line_of(text: str) -> int:
    """Return the line of the leaking strategy that holds this."""
    lines = Path(strategies.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
