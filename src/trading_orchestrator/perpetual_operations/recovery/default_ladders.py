"""The ladders every program starts with; a ladder of the same class in config or code replaces one."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Step

_PAGED = "A person is paged; everything else goes on."
# What the fresh process finds as bad as this one did is not cured by another one.
_LEAVE = Step(action="hand_over", proof_s=60, budget=2, cooldown_s=600)

# `wait` is a rung of its own where most failures end by themselves: an early restart would lengthen them.
DEFAULT_LADDERS: tuple[Ladder, ...] = (
    Ladder(
        failure="component.crash_loop",
        steps=(Step(action="wait", proof_s=30), Step(action="restart_component", proof_s=15, tries=2, cooldown_s=60)),
        halts_safely="The supervisor goes on trying at its longest wait. " + _PAGED,
    ),
    Ladder(
        failure="component.stuck",
        parts=("progress/*",),
        steps=(Step(action="wait", proof_s=5), Step(action="restart_component", proof_s=15, tries=2, cooldown_s=60)),
        halts_safely="It answers and does nothing; what waits for it waits on. " + _PAGED,
    ),
    Ladder(
        failure="database.lost",
        outranks=("database.slow", "database.locked"),
        parts=("journal", "database", "database/*"),
        steps=(
            Step(action="wait", proof_s=5),
            Step(action="reconnect", proof_s=10, tries=2),
            _LEAVE,
        ),
        halts_safely="No new order leaves without a journal; cancels do. " + _PAGED,
    ),
    Ladder(
        failure="database.locked",
        outranks=("database.slow",),
        steps=(Step(action="wait", proof_s=15), Step(action="shed_load", proof_s=15)),
        halts_safely="No new order leaves without a journal; cancels do. " + _PAGED,
    ),
    Ladder(
        failure="database.slow",
        degraded_too=True,
        steps=(
            Step(action="wait", proof_s=15),
            Step(action="write_log_back", proof_s=15),
            Step(action="shed_load", proof_s=60, tries=2),
        ),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="pool.exhausted",
        parts=("pool/*",),
        degraded_too=True,
        steps=(
            Step(action="tune_pool", proof_s=10),
            Step(action="recycle_pool", proof_s=10),
            Step(action="shed_load", proof_s=30),
        ),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="event_loop.blocked",
        parts=("event_loop",),
        steps=(Step(action="wait", proof_s=5), Step(action="shed_load", proof_s=15), _LEAVE),
        halts_safely="A keeper kills a node whose loop stands still; its standby takes over. " + _PAGED,
    ),
    Ladder(
        failure="memory.pressure",
        parts=("memory",),
        degraded_too=True,
        steps=(
            Step(action="clear_caches", proof_s=10, cooldown_s=60),
            Step(action="shed_load", proof_s=30),
            _LEAVE,
        ),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="memory.leak",
        degraded_too=True,
        steps=(
            Step(action="clear_caches", proof_s=60, cooldown_s=600),
            Step(action="hand_over", proof_s=60, cooldown_s=600),
        ),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="disk.low",
        parts=("disk",),
        degraded_too=True,
        steps=(Step(action="clean_up", deadline_s=60, proof_s=15), Step(action="shed_load", proof_s=60)),
        halts_safely="The journal keeps its reserve until the last; below it no new order leaves. " + _PAGED,
    ),
    Ladder(
        failure="disk.full",
        outranks=("disk.low",),
        degraded_too=True,
        steps=(Step(action="clean_up", deadline_s=60, proof_s=15), Step(action="shed_load", proof_s=60)),
        halts_safely="No new order leaves without a journal; cancels do. " + _PAGED,
    ),
    Ladder(
        failure="cpu.saturated",
        parts=("cpu",),
        degraded_too=True,
        steps=(Step(action="wait", proof_s=30), Step(action="shed_load", proof_s=120)),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="descriptors.short",
        parts=("descriptors",),
        degraded_too=True,
        steps=(
            Step(action="clear_caches", proof_s=10, cooldown_s=60),
            _LEAVE,
        ),
        halts_safely=_PAGED,
    ),
    Ladder(
        failure="clock.off",
        parts=("clock",),
        steps=(Step(action="measure_clock", proof_s=5, tries=2), Step(action="wait", proof_s=60)),
        halts_safely="Leases and deadlines run on a clock that cannot step; a venue may refuse requests. " + _PAGED,
    ),
    Ladder(
        failure="channel.down",
        parts=("channel/*",),
        degraded_too=True,
        steps=(Step(action="wait", proof_s=120), Step(action="restart_component", proof_s=30)),
        halts_safely="The fallback channel carries the messages; none is given up. " + _PAGED,
    ),
    Ladder(
        failure="dependency.down",
        parts=("dependency/*",),
        steps=(Step(action="wait", proof_s=10), Step(action="reconnect", proof_s=10)),
        halts_safely="Its circuit stays open, so nothing waits for it. " + _PAGED,
    ),
)

OTHERWISE = Ladder(
    failure="component.down",
    steps=(Step(action="wait", proof_s=5), Step(action="restart_component", proof_s=15, tries=3, cooldown_s=30)),
    halts_safely="The supervisor goes on trying. " + _PAGED,
)
