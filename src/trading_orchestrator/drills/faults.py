"""What drills break, always from outside: signals, limits, locks, and what the venue does by its own script."""

from __future__ import annotations

import os
import resource
import signal
from decimal import Decimal

import apsw

from trading_orchestrator.drills.arena import ACCOUNT, ENDLESS_RATIO, SLOW_RATIO, SYMBOL, Arena
from trading_orchestrator.kernel.clock import Stopwatch

PULSES, PULSE_S = 3, 1.5
WILD_S = 0.5
LOCK_S = 6.0
OUTAGE_S = 4.0
FREEZE_S = 6.0  # a request gives up after 1 s, silence counts from 2 s on, and is believed when it is seen twice
FULL_S = 4.0


def kill_trader(arena: Arena) -> None:
    """The process is gone between two instructions."""
    os.kill(arena.trader()[0], signal.SIGKILL)


def kill_console(arena: Arena) -> None:
    """API, dashboard, alerts and the standby are gone."""
    os.kill(arena.other()[0], signal.SIGKILL)


def freeze_trader(arena: Arena) -> None:
    """The process lives and does nothing; the keeper must end it."""
    os.kill(arena.trader()[0], signal.SIGSTOP)


def block_loop(arena: Arena) -> None:
    """The venue's spread goes wide, three times: each time a strategy computes, shorter than what the keeper allows."""
    for pulse in range(PULSES):
        _spread(arena, Decimal(SLOW_RATIO) + Decimal(pulse + 1) / 1000)
        Stopwatch().pause(PULSE_S)
    _spread(arena, None)


def loop_strategy(arena: Arena) -> None:
    """The venue's spread goes wider for a moment: a strategy loops for ever, and the node with it."""
    _spread(arena, Decimal(ENDLESS_RATIO) * 2)
    Stopwatch().pause(WILD_S)
    _spread(arena, None)


def _spread(arena: Arena, ratio: Decimal | None) -> None:
    """Hold the venue's quotes this far apart, None to let the market go on."""
    symbol = SYMBOL.replace("/", "")
    if ratio is None:
        arena.venue.control("POST", "market", {"symbol": symbol, "go_on": True})
        return
    now = arena.venue.control("GET", "state")["markets"][symbol]
    ask = Decimal(now["bid"]) * (1 + ratio)
    held = {"bid": now["bid"], "ask": f"{ask:.4f}", "bid_qty": "100000", "ask_qty": "100000"}
    arena.venue.control("POST", "market", {"symbol": symbol, **held})


def kill_venue(arena: Arena) -> None:
    """Every connection breaks and none can be made, until the venue comes back with what it knows."""
    arena.venue.kill()
    Stopwatch().pause(OUTAGE_S)
    arena.venue.start()


def freeze_venue(arena: Arena) -> None:
    """Connections stand, and nothing is answered."""
    arena.venue.signal(signal.SIGSTOP)
    Stopwatch().pause(FREEZE_S)
    arena.venue.signal(signal.SIGCONT)


def mute_stream(arena: Arena) -> None:
    """The stream of our own orders stays connected and says nothing more, until it is opened anew."""
    fault = arena.venue.fault("F20", call="user_stream.*", for_s=OUTAGE_S)
    Stopwatch().pause(OUTAGE_S)
    arena.venue.control("DELETE", f"faults/{fault}")


def lose_answers(arena: Arena) -> None:
    """Orders are accepted, and neither answer nor stream tells of it (ghost orders), for a while."""
    arena.venue.fault("F20", call="user_stream.*", for_s=OUTAGE_S)
    arena.venue.fault("F1", probability=0.5, for_s=OUTAGE_S)
    Stopwatch().pause(OUTAGE_S)
    arena.venue.control("DELETE", "faults")


def steal_lock(arena: Arena) -> None:
    """Another process holds the journal's write lock."""
    thief = apsw.Connection(str(arena.system.journal))
    thief.set_busy_timeout(5_000)
    thief.execute("BEGIN IMMEDIATE")
    try:
        Stopwatch().pause(LOCK_S)
    finally:
        thief.execute("ROLLBACK")
        thief.close()


def fill_quota(arena: Arena) -> None:
    """The trader may not make any file longer: what a full disk or quota looks like from inside."""
    pid, _ = arena.trader()
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    Stopwatch().pause(FULL_S)
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    except ProcessLookupError:
        return  # it left, and another node trades


def revoke_key(arena: Arena) -> None:
    """The venue knows our key no more (-2015), until somebody makes it work again there."""
    arena.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": True})
    Stopwatch().pause(OUTAGE_S)
    arena.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": False})


def nothing_more(arena: Arena) -> None:
    """The fault is in the config of the arena: it runs since the start."""
