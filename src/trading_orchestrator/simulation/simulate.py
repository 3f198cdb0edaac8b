"""One simulation from its seed: a world, its faults, healing, and a verdict that the same seed gives again."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.verify import verify
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.coverage import Cell
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import RATES
from trading_orchestrator.simulation.mischief import Mischief
from trading_orchestrator.simulation.outside import no_collector, no_outside_world
from trading_orchestrator.simulation.simulated_node import journal_path
from trading_orchestrator.simulation.world import NODES, World

DAY_S = 86_400.0
CALM_S, HEAL_S, REST_S = 3.0, 5.0, 12.0
"""After the larger faults messages are still lost for a while; then nothing goes wrong; then the market stands still.

A doubt may take the time-out, the validity window and the grace, and the answer to a cancel as long again.
"""
MEMORY_DISK = Path("/dev/shm")
"""A journal in a simulation needs no disk, and is faster without."""


@dataclass(frozen=True)
class Outcome:
    """What one simulation did, and what was wrong. `replay`: the arguments that repeat it."""

    replay: str
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


def simulate(seed: int, *, days: float, faults: str, stop_early: bool = False) -> Outcome:
    """Run one simulation and judge it.

    Args:
        days: virtual time under faults, before healing; > 0.
        faults: "none", "light" or "heavy".
        stop_early: end at the first violation instead of judging on.

    Raises:
        Refused: there is no such level.
    """
    if faults not in RATES:
        raise Refused(f"expected faults none, light or heavy, was `{faults}`; {nearest(faults, list(RATES))}")
    chance = Chance(seed)
    folder = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=folder) as made, no_outside_world(), no_collector():
        loop = VirtualLoop(chance.fork("schedule"))
        try:
            return loop.run_until_complete(_play(loop, chance, Path(made), seed, days, faults, stop_early))
        finally:
            loop.close()


async def _play(
    loop: VirtualLoop, chance: Chance, folder: Path, seed: int, days: float, faults: str, stop_early: bool
) -> Outcome:
    path = journal_path(folder)
    world = await World.make(loop, chance, path, RATES[faults])
    judge = world.judge
    living = world.host.spawn(_live(world, days * DAY_S))
    if stop_early:
        judge.on_violation = living.cancel
    await asyncio.wait([living])
    judge.on_violation = _not_now
    if not living.cancelled():
        living.result()
    report = verify(path)
    if not report.ok:
        judge.blame("chain", f"the journal does not verify: {report.broken}")
    outcome = Outcome(
        replay=f"--seed {seed} --days {days:g} --faults {faults}",
        orders=judge.order_count,
        trades=len(judge.trade_ids),
        faults=judge.faults,
        virtual_s=loop.time(),
        turns=loop.turns,
        facts=report.facts,
        journal_hash=world.reader.digest(),
        violations=[violation.message for violation in judge.violations],
        met=judge.coverage.met,
    )
    await world.end()
    return outcome


def _not_now() -> None:
    """The play is over: what is found now is found at its end."""


async def _live(world: World, faulty_s: float) -> None:
    market = world.host.spawn(world.market.run())
    for _ in range(NODES):
        world.add_node()
    mischief = Mischief(world, world.network.rates, world.chance.fork("mischief"))
    trouble = world.host.spawn(mischief.run())
    await world.true_clock.sleep(faulty_s)
    trouble.cancel()
    mischief.heal()
    await world.true_clock.sleep(CALM_S)
    mischief.calm()
    await world.true_clock.sleep(HEAL_S)
    market.cancel()
    await world.true_clock.sleep(REST_S)
    world.judge.at_rest()
