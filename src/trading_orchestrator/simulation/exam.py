"""The last questions, asked when nothing goes wrong any more: does a desk notice by itself what nobody tells it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from trading_orchestrator.brokers.budget import POLL_PATIENCE_S
from trading_orchestrator.simulation.account import Account
from trading_orchestrator.simulation.market_wire import LEAST_BID_PX
from trading_orchestrator.simulation.world import World
from trading_orchestrator.trading.polls import UNEXPLAINED

LOOK_EVERY_S = 0.25
NOTICED_WITHIN_S = 2 * POLL_PATIENCE_S + 5.0
"""A comparison takes two looks. Where the budget of requests is small and many doubts are asked for, each of them may
wait for its turn as long as a poll is patient; else all of it takes three seconds."""
RESTS_AT_PX = LEAST_BID_PX / 2
"""Where nothing fills."""
REST_LEAST_S, REST_MOST_S = 5.0, 14.0
"""Nothing is under way after the first. A doubt may take the time-out, the validity window and the grace, and the
answer to a cancel as long again; the second holds all of that after money was explained."""


async def examine(world: World) -> None:
    """Cancel, order and move money behind the desks' backs; return when everything is settled, or late.

    What the venue began or ended without a word has to be found by asking for open orders: `Judge.at_rest` sees
    whether it was.
    """
    resting = {account.desk: account.human.rest(RESTS_AT_PX) for account in world.accounts}
    await _until(world, REST_MOST_S, lambda account: account.onlooker.trades())
    began_s = world.loop.time()
    moved = {account.desk: _move_behind(account, resting[account.desk]) for account in world.accounts}
    await _until(world, NOTICED_WITHIN_S, lambda account: account.onlooker.blocked_by() == UNEXPLAINED)
    for account in world.accounts:
        asset, qty = moved[account.desk]
        if account.onlooker.blocked_by() != UNEXPLAINED:
            account.judge.blame("I3", f"{qty} {asset} moved, and nobody noticed for {NOTICED_WITHIN_S} s")
        await world.operator.explain(account.desk, asset, qty)
    await world.true_clock.sleep(max(0.0, began_s + REST_LEAST_S - world.loop.time()))
    await _until(world, REST_MOST_S, lambda account: account.onlooker.is_settled())


def _move_behind(account: Account, humans: str) -> tuple[str, Decimal]:
    """Cancel a human's order that the desk knows, place another, and move money."""
    with _quiet(account):
        account.human.cancel([*account.onlooker.sleeping(), humans])
        account.human.rest(RESTS_AT_PX)
    asset, qty = account.human.transfer()
    account.judge.moved(asset, qty)
    return asset, qty


@contextmanager
def _quiet(account: Account) -> Iterator[None]:
    """Let no frame tell of what is done meanwhile."""
    account.network.is_quiet = True
    yield
    account.network.is_quiet = False


async def _until(world: World, most_s: float, holds: Callable[[Account], bool]) -> None:
    ends_s = world.loop.time() + most_s
    while world.loop.time() < ends_s and not all(holds(account) for account in world.accounts):
        await world.true_clock.sleep(LOOK_EVERY_S)
        for account in world.accounts:  # one may have been on its way when the exam began
            with _quiet(account):
                account.human.cancel(account.onlooker.sleeping())
