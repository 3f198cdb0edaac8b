"""Every drill: copy a row to add one."""

from __future__ import annotations

import re

from trading_orchestrator.drills import faults
from trading_orchestrator.drills.arena import BUSY_S
from trading_orchestrator.drills.drill import Drill
from trading_orchestrator.drills.evidence import JournalFact
from trading_orchestrator.drills.sign import Sign, incident, said
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


def _names_the_line(fact: JournalFact) -> bool:
    return fact.kind == "leak.judged" and LEAK_SITE.search(fact.body["sentence"]) is not None


_HANDED_OVER = said("lease.claimed", lease=DESK_LEASE, succession="handed_over")
_NODE_DEATH = (incident("node.death"),)
_MUTE = (incident("broker.mute"),)

DRILLS: tuple[Drill, ...] = (
    Drill("kill-trader", "kill -9 of the node that trades", faults.kill_trader, _NODE_DEATH),
    Drill("kill-console", "kill -9 of the standby, which serves the console", faults.kill_console, _NODE_DEATH),
    Drill("freeze-trader", "SIGSTOP of the node that trades", faults.freeze_trader, (incident("node.hang"),)),
    Drill(
        "block-loop",
        f"a strategy computes for {BUSY_S:g} s when the venue's spread goes wide, three times",
        faults.block_loop,
        (incident("event_loop.blocked"),),
    ),
    Drill(
        "loop-strategy",
        "a strategy loops for ever when the venue's spread goes wider still",
        faults.loop_strategy,
        (incident("strategy.looping"),),
    ),
    Drill(
        "kill-venue",
        "kill -9 of the venue, back after 4 s",
        faults.kill_venue,
        (incident("broker.disconnected"),),
    ),
    Drill("freeze-venue", "the venue answers nothing for 6 s", faults.freeze_venue, _MUTE),
    Drill("lose-answers", "half of the orders get no answer for 4 s", faults.lose_answers, _MUTE),
    Drill("mute-stream", "the stream of our orders says nothing for 4 s", faults.mute_stream, _MUTE),
    Drill(
        "steal-lock",
        "another process holds the journal's lock for 6 s",
        faults.steal_lock,
        (incident("database.locked"),),
    ),
    Drill("fill-quota", "the trader may not write for 4 s", faults.fill_quota, _NODE_DEATH),
    Drill(
        "revoke-key",
        "the venue refuses our key (-2015) for 4 s, and the desk is halted",
        faults.revoke_key,
        (incident("broker.key_revoked"),),
    ),
    Drill(
        "leak-memory",
        "a strategy that was deployed with the arena keeps 0.5 MB/s, from its first order on",
        faults.nothing_more,
        (Sign("leak.judged, with the line", _names_the_line),),
        detected_within_s=90.0,
        within_s=60.0,
        answered_by=_HANDED_OVER,
        more=LEAK,
    ),
)
SHORT = ("kill-trader", "lose-answers")


def drill_named(name: str) -> Drill:
    """Return a drill.

    Raises:
        DrillUnknown: the sentence names the nearest.
    """
    for drill in DRILLS:
        if drill.name == name:
            return drill
    raise DrillUnknown(f"no drill is named {name!r}; {nearest(name, [drill.name for drill in DRILLS])}", drill=name)
