"""How one strategy of a desk is: it makes progress, or it crashed, is stuck, ended a node, or stays out."""

from __future__ import annotations

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.trading.shift import Shift
from trading_orchestrator.trading.staff import BLAMED_MOST
from trading_orchestrator.trading.strategies.progress import STUCK_S

CRASHED, STUCK, LOOPING = "strategy.crashed", "strategy.stuck", "strategy.looping"
WATCHED_S = 10.0
"""How long a strategy is in question after its node was ended for it: a loop that comes back does so soon."""


def strategy_health(shift: Shift, name: str, now_ns: int) -> Health:
    """Return the health of one strategy that this shift should run, with the class of its failure."""
    book = shift.record.book
    disabled = book.disabled(name)
    if disabled is not None:
        return Health(HealthState.UNHEALTHY, f"it is disabled: {disabled.reason}", disabled.failure)
    if name in shift.staff.left_out:
        failure = LOOPING if book.times_blamed(name) >= BLAMED_MOST else CRASHED
        return Health(HealthState.UNHEALTHY, shift.staff.left_out[name], failure)
    performer = next((each for each in shift.floor.performers if each.name == name), None)
    if performer is None:
        return Health(HealthState.STARTING, "it has not begun yet")
    if performer.stopped_by:
        return Health(HealthState.UNHEALTHY, performer.stopped_by, CRASHED)
    waits_s = performer.progress.waits_s(now_ns)
    if waits_s > STUCK_S:
        said = "its callback has not returned" if shift.floor.at_work == name else "nothing was handled"
        return Health(HealthState.UNHEALTHY, f"{said} for {waits_s:.0f} s although something is due", STUCK)
    if name == shift.staff.hung_in and now_ns - shift.began_ns < WATCHED_S * 1e9:
        said = f"it was at work when the node before hung or crashed, {book.times_blamed(name)} times by now"
        return Health(HealthState.UNHEALTHY, said, LOOPING)
    return Health(HealthState.HEALTHY, f"{performer.progress.handled_total} events handled")
