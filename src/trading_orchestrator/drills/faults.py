"""What drills break, always from outside: signals, limits, locks, and what the venue does by its own script."""

from __future__ import annotations

import os
import resource
import signal

import apsw

from trading_orchestrator.drills.arena import ACCOUNT, DESK, Arena
from trading_orchestrator.kernel.clock import Stopwatch

PULSES = 3
PULSE_S = 1.2  # below hang_kill_s, so that the keeper lets the node live
LOCK_S = 6.0
OUTAGE_S = 4.0
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
    """The trader stands still again and again, each time shorter than what the keeper ends it for."""
    pid, _ = arena.trader()
    for _ in range(PULSES):
        os.kill(pid, signal.SIGSTOP)
        Stopwatch().pause(PULSE_S)
        os.kill(pid, signal.SIGCONT)
        Stopwatch().pause(0.3)


def kill_venue(arena: Arena) -> None:
    """Every connection breaks and none can be made, until the venue comes back with what it knows."""
    arena.venue.kill()
    Stopwatch().pause(OUTAGE_S)
    arena.venue.start()


def freeze_venue(arena: Arena) -> None:
    """Connections stand, and nothing is answered."""
    arena.venue.signal(signal.SIGSTOP)
    Stopwatch().pause(OUTAGE_S)
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
    """The venue knows our key no more (-2015)."""
    arena.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": True})


def give_key_back(arena: Arena) -> None:
    """A person makes the key work again and lets the desk trade."""
    arena.venue.control("POST", "keys", {"account": ACCOUNT, "revoked": False})
    arena.operator("desk", "resume", DESK)


def nothing_more(arena: Arena) -> None:
    """The fault is in the config of the arena: it runs since the start."""
