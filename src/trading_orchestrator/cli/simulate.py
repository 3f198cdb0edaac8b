"""`simulate`: the trading wing on a virtual clock, broken by seed; exit code 1 when an invariant does not hold."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from enum import StrEnum
from functools import partial
from multiprocessing import get_context
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.options import JsonOption
from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.simulate import Outcome
from trading_orchestrator.simulation.simulate import simulate as simulate_seed

SHORT_DAYS = 0.0004
SHOWN_VIOLATIONS = 10


class Faults(StrEnum):
    """How much goes wrong."""

    NONE = "none"
    LIGHT = "light"
    HEAVY = "heavy"


def simulate(
    seed: Annotated[int, typer.Option("--seed", help="The first seed; the same seed gives the same journal.")] = 1,
    days: Annotated[
        float, typer.Option("--days", min=1e-6, help="Virtual days under faults, before healing.")
    ] = SHORT_DAYS,
    faults: Annotated[Faults, typer.Option("--faults", help="How much goes wrong.")] = Faults.HEAVY,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, one after the other.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Seeds at the same time, each in a process.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="Show which fault met which order state.")] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="Fail when a pair of the table was not reached.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate venue, journal, leases and two nodes under faults, and judge orders by the venue's own record."""
    coverage = Coverage()
    outcomes: list[Outcome] = []
    for outcome in _outcomes(range(seed, seed + seeds), partial(_quietly, days=days, faults=faults.value), jobs):
        outcomes.append(outcome)
        coverage.add(outcome.met)
        print(json.dumps(_as_data(outcome)) if as_json else _line(outcome), flush=True)
        for violation in outcome.violations[: 0 if as_json else SHOWN_VIOLATIONS]:
            print(f"  {violation}")
        if not outcome.ok:
            print(f"  replay: trading-orchestrator simulate {outcome.replay}", file=sys.stderr)
    if table and not as_json:
        print("\n".join(coverage.table()))
    unreached = coverage.unreached() if complete else []
    for kind, state in unreached:
        print(f"never met: {kind.name.lower()} × {state.value}", file=sys.stderr)
    if not as_json:
        print(_total(outcomes))
    sys.exit(1 if unreached or not all(outcome.ok for outcome in outcomes) else 0)


def _outcomes(seeds: Sequence[int], play: Callable[[int], Outcome], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the seeds. A process is spawned, never forked."""
    if jobs == 1:
        yield from map(play, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play, seeds)


def _quietly(seed: int, *, days: float, faults: str) -> Outcome:
    logging.getLogger("trading_orchestrator").setLevel(logging.CRITICAL)  # faults are the point here
    return simulate_seed(seed, days=days, faults=faults)


def _line(outcome: Outcome) -> str:
    verdict = "ok" if outcome.ok else f"{len(outcome.violations)} VIOLATIONS"
    return (
        f"{outcome.replay}: {outcome.orders:,} orders, {outcome.trades:,} trades, {outcome.faults:,} faults, "
        f"{outcome.virtual_s:,.0f} s virtual, {outcome.facts:,} facts, journal {outcome.journal_hash}: {verdict}"
    )


def _total(outcomes: list[Outcome]) -> str:
    broken = sum(not outcome.ok for outcome in outcomes)
    orders, faults = sum(each.orders for each in outcomes), sum(each.faults for each in outcomes)
    return (
        f"{len(outcomes)} seeds: {orders:,} orders, {faults:,} faults, "
        f"{sum(o.virtual_s for o in outcomes) / 3600:,.1f} h virtual; {broken} seeds with violations"
    )


def _as_data(outcome: Outcome) -> dict[str, Any]:
    return {
        "replay": outcome.replay,
        "orders": outcome.orders,
        "trades": outcome.trades,
        "faults": outcome.faults,
        "virtual_s": round(outcome.virtual_s, 6),
        "facts": outcome.facts,
        "journal_hash": outcome.journal_hash,
        "violations": list(outcome.violations),
    }
