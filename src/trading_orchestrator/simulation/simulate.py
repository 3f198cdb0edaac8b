"""One simulation from its seed: a world, its faults, healing, and a verdict that the same seed gives again."""

from __future__ import annotations

import asyncio
import gc
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.simulation.aims import Aims
from trading_orchestrator.simulation.aims import told as told_aim
from trading_orchestrator.simulation.at_rest import judge_at_rest
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.coverage import Cell
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.exam import examine
from trading_orchestrator.simulation.faults import RATES
from trading_orchestrator.simulation.mischief import Mischief
from trading_orchestrator.simulation.outside import no_collector, no_other_process, no_outside_world
from trading_orchestrator.simulation.simulated_node import journal_path
from trading_orchestrator.simulation.world import NODES, World

DAY_S = 86_400.0
CALM_S, HEAL_S = 2.0, 1.0
"""After the larger faults messages are lost for a while; then nothing goes wrong; then the market stands still."""
MEMORY_DISK = Path("/dev/shm")
"""A journal in a simulation needs no disk, and is faster without."""


LONGEST = 6.0
"""So many times the span is waited for orders and faults that do not come."""
LOOK_AGAIN_S = 0.1
STEPS = 20
COLLECT_EVERY_S = 60.0
"""Virtual seconds: in a long simulation the collector runs, but at moments that are the same in every run."""
MEMORY_DAYS = 0.02
"""Half an hour writes 150 MB."""
SHARE_UNDER_FAULTS = 0.75


@dataclass(frozen=True)
class Span:
    """How long things go wrong: `days` of virtual time, and on until there were so many orders and faults."""

    days: float
    orders: int = 0
    faults: int = 0

    @property
    def s(self) -> float:
        return self.days * DAY_S

    def has_enough(self, orders: int, faults: int) -> bool:
        """Return whether it may heal: the last orders come while it does."""
        return orders >= SHARE_UNDER_FAULTS * self.orders and faults >= self.faults

    def told(self) -> str:
        """Return the arguments that repeat it."""
        least = [
            f" --least-{name} {count}" for name, count in (("orders", self.orders), ("faults", self.faults)) if count
        ]
        return f"--days {self.days:g}" + "".join(least)


@dataclass(frozen=True)
class Progress:
    """How far a simulation is: the part of its span that is over, and what it has done so far."""

    ratio: float
    virtual_s: float
    orders: int
    faults: int


Told = Callable[[Progress], None]


@dataclass(frozen=True)
class Outcome:
    """What one simulation did, and what was wrong. `replay`: the arguments that repeat it."""

    seed: int
    replay: str
    desks: int
    orders: int
    trades: int
    faults: int
    virtual_s: float
    turns: int
    facts: int
    journal_hash: str
    violations: Sequence[str] = ()
    met: dict[Cell, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.violations


def nobody_is_told(progress: Progress) -> None:
    """The default: no progress is shown."""


def simulate(
    seed: int,
    span: Span,
    *,
    faults: str,
    aims: Sequence[Cell] = (),
    stop_early: bool = False,
    told: Told = nobody_is_told,
) -> Outcome:
    """Run one simulation and judge it.

    Args:
        span: how long things go wrong, before healing.
        faults: "none", "light" or "heavy".
        aims: the pairs of fault and order state to bring about; without any each seed is dealt its own.
        stop_early: end at the first violation instead of judging on.
        told: hears twenty times, or more, how far it is.

    Raises:
        Refused: there is no such level.
    """
    if faults not in RATES:
        raise Refused(f"expected faults none, light or heavy, was `{faults}`; {nearest(faults, list(RATES))}")
    chance = Chance(seed)
    replay = f"--seed {seed} {span.told()} --faults {faults}" + "".join(f" --aim {told_aim(cell)}" for cell in aims)
    folder = MEMORY_DISK if MEMORY_DISK.is_dir() and span.days <= MEMORY_DAYS else None
    with (
        tempfile.TemporaryDirectory(prefix="simulation-", dir=folder) as made,
        no_outside_world(),
        no_other_process(),
        no_collector(),
    ):
        try:
            return _run(chance, Path(made), seed, span, faults, Aims(seed, aims), replay, stop_early, told)
        except Exception as error:
            error.add_note(f"replay: trading-orchestrator simulate {replay}")
            raise


def _run(chance: Chance, *of_play: Any) -> Outcome:
    """Play in a frame of its own: nobody may hold the loop, and with it the world, when the collector comes."""
    loop = VirtualLoop(chance.fork("schedule"))
    try:
        return loop.run_until_complete(_play(loop, chance, *of_play))
    finally:
        loop.close()


async def _play(
    loop: VirtualLoop,
    chance: Chance,
    folder: Path,
    seed: int,
    span: Span,
    faults: str,
    aims: Aims,
    replay: str,
    stop_early: bool,
    told: Told,
) -> Outcome:
    path = journal_path(folder)
    world = await World.make(loop, chance, path, RATES[faults])
    judges = [account.judge for account in world.accounts]
    living = world.host.spawn(_live(world, span, aims, told))
    for judge in judges:
        judge.on_violation = living.cancel if stop_early else _not_now
    await asyncio.wait([living])
    for judge in judges:
        judge.on_violation = _not_now
    if not living.cancelled():
        living.result()
    report = verify(path)
    if not report.ok:
        judges[0].blame("chain", f"the journal does not verify: {report.broken}")
    outcome = Outcome(
        seed=seed,
        replay=replay,
        desks=len(judges),
        orders=sum(judge.order_count for judge in judges),
        trades=sum(len(judge.trade_ids) for judge in judges),
        faults=world.coverage.faults,
        virtual_s=loop.time(),
        turns=loop.turns,
        facts=report.facts,
        journal_hash=world.digest(),
        violations=[violation.message for violation in world.violations],
        met=world.coverage.met,
    )
    await world.end()
    return outcome


def _not_now() -> None:
    """Nobody ends the play for a violation: not at all, or not any more."""


async def _live(world: World, span: Span, aims: Aims, told: Told) -> None:
    markets = [world.host.spawn(account.market.run()) for account in world.accounts]
    for _ in range(NODES):
        world.add_node()
    mischief = Mischief(world, world.accounts[0].network.rates, world.chance.fork("mischief"), aims)
    world.host.spawn(world.look_after_desks())
    trouble, restoring = world.host.spawn(mischief.run()), world.host.spawn(mischief.restore())
    await _until_over(world, span, told)
    trouble.cancel()
    await asyncio.wait([restoring])
    await mischief.heal()
    await world.true_clock.sleep(CALM_S)
    await mischief.calm()
    await world.true_clock.sleep(HEAL_S)
    await _until(world, span, lambda: world.order_count >= span.orders)
    for market in markets:
        market.cancel()
    await examine(world)
    for account in world.accounts:
        judge_at_rest(account.judge)


async def _until_over(world: World, span: Span, told: Told) -> None:
    """Return when the span is over, and what it asks for has happened, or never will."""
    steps = max(STEPS, math.ceil(span.s / COLLECT_EVERY_S))
    for step in range(steps):
        told(Progress(step / steps, world.loop.time(), world.order_count, world.coverage.faults))
        await world.true_clock.sleep(span.s / steps)
        if span.s > COLLECT_EVERY_S:
            gc.collect()
    await _until(world, span, lambda: span.has_enough(world.order_count, world.coverage.faults))


async def _until(world: World, span: Span, enough: Callable[[], bool]) -> None:
    while world.loop.time() < LONGEST * span.s and not enough():
        await world.true_clock.sleep(LOOK_AGAIN_S)
