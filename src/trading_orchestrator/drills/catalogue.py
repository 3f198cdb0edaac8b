"""Every drill: copy a row to add one."""

from __future__ import annotations

import re
from collections.abc import Callable

from trading_orchestrator.drills import faults
from trading_orchestrator.drills.drill import Drill
from trading_orchestrator.drills.judge import JournalFact
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest

LEAK_SITE = re.compile(r"drills/leaky\.py:\d+ keeps")
LEAK = """
[perpetual_operations.resources]
node_memory_bytes = 180000000
[perpetual_operations.leaks]
windows_s = [12.0]
trace_s = 2.0
trace_lag_s = 1.0
handover_before_s = 180.0
[[trading.desk.practice.strategies]]
name = "leaky"
class = "trading_orchestrator.drills.leaky:Leaky"
params = { symbol = "EUR/USDT", qty = "20", every_s = 0.1 }
"""
"""Windows and limit of a node that has minutes and not months: the leak itself is as fast as it would be in truth."""
DESK_LEASE = "desk/practice"


class DrillUnknown(Refused):
    """There is no drill of this name. Facts: drill."""

    code = "drill.unknown"


def _lease(name: str) -> Callable[[JournalFact], bool]:
    return lambda fact: fact.kind in ("lease.claimed", "lease.lost") and fact.body["lease"] == name


def _any(*kinds: str) -> Callable[[JournalFact], bool]:
    return lambda fact: fact.kind in kinds


def _of_part(*parts: str) -> Callable[[JournalFact], bool]:
    return lambda fact: fact.kind == "incident.opened" and fact.body["part"] in parts


def _either(*rules: Callable[[JournalFact], bool]) -> Callable[[JournalFact], bool]:
    return lambda fact: any(rule(fact) for rule in rules)


def _names_the_line(fact: JournalFact) -> bool:
    return fact.kind == "leak.judged" and LEAK_SITE.search(fact.body["sentence"]) is not None


def _handed_over(fact: JournalFact) -> bool:
    return _lease(DESK_LEASE)(fact) and fact.body.get("succession") == "handed_over"


_VENUE = _of_part("broker/practice", "desk/practice")
_DOUBT = _any("order.doubted", "cancel.doubted")

DRILLS: tuple[Drill, ...] = (
    Drill("kill-trader", "kill -9 of the node that trades", faults.kill_trader, _lease(DESK_LEASE)),
    Drill(
        "kill-console", "kill -9 of the standby, which serves the console", faults.kill_console, _any("node.started")
    ),
    Drill("freeze-trader", "SIGSTOP of the node that trades", faults.freeze_trader, _lease(DESK_LEASE)),
    Drill(
        "block-loop", "the trading loop stands still for 1.2 s, three times", faults.block_loop, _of_part("event_loop")
    ),
    Drill(
        "kill-venue",
        "kill -9 of the venue, back after 4 s",
        faults.kill_venue,
        _either(_DOUBT, _VENUE),
    ),
    Drill("freeze-venue", "the venue answers nothing for 4 s", faults.freeze_venue, _DOUBT),
    Drill("lose-answers", "half of the orders get no answer for 4 s", faults.lose_answers, _DOUBT),
    Drill(
        "mute-stream", "the stream of our orders says nothing for 4 s", faults.mute_stream, _of_part("broker/practice")
    ),
    Drill("steal-lock", "another process holds the journal's lock for 6 s", faults.steal_lock, _lease(DESK_LEASE)),
    Drill("fill-quota", "the trader may not write for 4 s", faults.fill_quota, _lease(DESK_LEASE)),
    Drill(
        "revoke-key",
        "the venue refuses our key (-2015)",
        faults.revoke_key,
        _any("desk.key_refused"),
        ends="halts",
        repair=faults.give_key_back,
    ),
    Drill(
        "leak-memory",
        "a strategy keeps 0.5 MB/s, from its first order on",
        faults.nothing_more,
        _names_the_line,
        detected_within_s=90.0,
        within_s=60.0,
        answered_by=_handed_over,
        more=LEAK,
    ),
)
SHORT = ("kill-trader", "freeze-venue", "steal-lock")


def drill_named(name: str) -> Drill:
    """Return a drill.

    Raises:
        DrillUnknown: the sentence names the nearest.
    """
    for drill in DRILLS:
        if drill.name == name:
            return drill
    raise DrillUnknown(f"no drill is named {name!r}; {nearest(name, [drill.name for drill in DRILLS])}", drill=name)
