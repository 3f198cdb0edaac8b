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
from trading_orchestrator.errors import Refused
from trading_orchestrator.simulation.aims import read_aim
from trading_orchestrator.simulation.completing import completed
from trading_orchestrator.simulation.coverage import Cell, Coverage
from trading_orchestrator.simulation.simulate import Outcome, Progress, Span, nobody_is_told
from trading_orchestrator.simulation.simulate import simulate as simulate_seed

SHORT_DAYS = 0.0003
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
    least_orders: Annotated[
        int, typer.Option("--least-orders", min=0, help="Go on after --days until a seed saw so many orders.")
    ] = 0,
    least_faults: Annotated[
        int, typer.Option("--least-faults", min=0, help="Go on after --days until a seed saw so many faults.")
    ] = 0,
    table: Annotated[bool, typer.Option("--table", help="Show which fault met which order state.")] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Go on with seeds that aim at pairs that have not met; fail when one never does, or one that cannot.",
        ),
    ] = False,
    aim: Annotated[
        list[str] | None,
        typer.Option("--aim", help="A pair to bring about, as FAULT:STATE of the table; else each seed has its own."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate venues, journal, leases and two nodes under faults, and judge orders by the venues' own records.

    With --days 1 one seed lives for a day. CI runs 200 seeds of 500 orders and 200 faults.

    `make simulate` is this with --complete and --table, for 400 seeds.
    """
    play = partial(_quietly, span=Span(days, least_orders, least_faults), faults=faults.value)
    coverage = Coverage()
    outcomes: list[Outcome] = []
    for outcome in _outcomes(range(seed, seed + seeds), partial(play, aims=_aims(aim or [])), jobs):
        outcomes.append(outcome)
        coverage.add(outcome.met)
        _show(outcome, as_json=as_json)
    if complete:

        def further(next_seeds: Sequence[int], aims: Sequence[Cell]) -> Iterator[Outcome]:
            return _outcomes(next_seeds, partial(play, aims=aims), jobs)

        for outcome in completed(coverage, further, seed + seeds, at_once=jobs):
            outcomes.append(outcome)
            _show(outcome, as_json=as_json)
    if table and not as_json:
        print("\n".join(["", *coverage.table(), ""]))
    wrong_pairs = _wrong_pairs(coverage) if complete else []
    for sentence in wrong_pairs:
        print(sentence, file=sys.stderr)
    if not as_json:
        print(total(outcomes))
    sys.exit(1 if wrong_pairs or not all(outcome.ok for outcome in outcomes) else 0)


def _aims(texts: Sequence[str]) -> list[Cell]:
    try:
        return [read_aim(text) for text in texts]
    except Refused as error:
        raise typer.BadParameter(error.message, param_hint="--aim") from error


def _outcomes(seeds: Sequence[int], play: Callable[..., Outcome], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the seeds. A process is spawned, never forked."""
    if jobs == 1:
        on_terminal = sys.stderr.isatty()
        for seed in seeds:
            yield play(seed, told=partial(_progress, seed) if on_terminal else nobody_is_told)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play, seeds)


def _quietly(
    seed: int,
    *,
    span: Span,
    faults: str,
    aims: Sequence[Cell] = (),
    told: Callable[[Progress], None] = nobody_is_told,
) -> Outcome:
    logging.getLogger("trading_orchestrator").setLevel(logging.CRITICAL)  # faults are the point here
    return simulate_seed(seed, span, faults=faults, aims=aims, told=told)


def _progress(seed: int, progress: Progress) -> None:
    """Show how far the seed is, in a line that the next one replaces."""
    said = (
        f"seed {seed}: {progress.ratio:4.0%}, {progress.virtual_s:,.0f} s virtual, "
        f"{progress.orders:,} orders, {progress.faults:,} faults"
    )
    print(f"\r\033[K{said}\r", end="", file=sys.stderr, flush=True)


def _show(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_data(outcome)), flush=True)
    else:
        print(_line(outcome), flush=True)
        for violation in outcome.violations[:SHOWN_VIOLATIONS]:
            print(f"  {violation}")
        if len(outcome.violations) > SHOWN_VIOLATIONS:
            print(f"  … and {len(outcome.violations) - SHOWN_VIOLATIONS:,} more")
    if not outcome.ok:
        print(f"  replay: trading-orchestrator simulate {outcome.replay}", file=sys.stderr)


def _line(outcome: Outcome) -> str:
    verdict = "ok" if outcome.ok else f"{len(outcome.violations)} VIOLATIONS"
    desks = "1 desk, " if outcome.desks == 1 else f"{outcome.desks} desks,"
    return (
        f"seed {outcome.seed:<5} {desks} {outcome.orders:>7,} orders {outcome.trades:>6,} trades "
        f"{outcome.faults:>6,} faults {outcome.virtual_s:>7,.0f} s virtual {outcome.facts:>7,} facts, "
        f"journal {outcome.journal_hash}: {verdict}"
    )


def total(outcomes: Sequence[Outcome]) -> str:
    """Return how many orders, faults and hours all of them had, and what was wrong."""
    orders, faults = [each.orders for each in outcomes], [each.faults for each in outcomes]
    wrong = sum(len(outcome.violations) for outcome in outcomes)
    return (
        f"{len(outcomes)} seeds: {sum(orders):,} orders (at least {min(orders):,} a seed), "
        f"{sum(faults):,} faults (at least {min(faults):,}), "
        f"{sum(o.virtual_s for o in outcomes) / 3600:,.1f} h virtual; {wrong} violations"
    )


def _wrong_pairs(coverage: Coverage) -> list[str]:
    never = [f"never met: {kind.name.lower()} × {state.value}" for kind, state in coverage.unreached()]
    ever = [
        f"met, and we hold that it cannot: {kind.name.lower()} × {state.value}: {why}"
        for kind, state, why in coverage.impossible()
    ]
    return never + ever


def _as_data(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "replay": outcome.replay,
        "desks": outcome.desks,
        "orders": outcome.orders,
        "trades": outcome.trades,
        "faults": outcome.faults,
        "virtual_s": round(outcome.virtual_s, 6),
        "facts": outcome.facts,
        "journal_hash": outcome.journal_hash,
        "violations": list(outcome.violations),
    }
