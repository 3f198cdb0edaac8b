"""The ladders of the trading wing: what is tried when a venue, a desk or a strategy fails."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Step

# While a venue is away no order leaves and doubts are asked after by the desk itself: most outages just end.
TRADING_LADDERS: tuple[Ladder, ...] = (
    Ladder(
        failure="broker.disconnected",
        parts=("broker/*",),
        steps=(Step(action="wait", proof_s=30), Step(action="hand_over", proof_s=60, budget=2, cooldown_s=600)),
        halts_safely="No order leaves; what rests at the venue rests. A person is paged.",
    ),
    Ladder(
        failure="broker.mute",
        steps=(Step(action="wait", proof_s=30), Step(action="hand_over", proof_s=60, budget=2, cooldown_s=600)),
        halts_safely="Orders without an answer stay unknown with their exposure reserved. A person is paged.",
    ),
    Ladder(
        failure="broker.banned",
        steps=(Step(action="wait", proof_s=300),),
        halts_safely="Nothing is asked before the ban ends; cancels go first after it. A person is paged.",
    ),
    Ladder(
        failure="broker.key_revoked",
        pages_at_once=True,
        halts_safely="The desk is halted; only a person can bring a key that works.",
    ),
    Ladder(
        failure="strategy.crashed",
        pages_at_once=True,
        halts_safely="The strategy is stopped, its orders are canceled; the others trade on.",
    ),
    Ladder(
        failure="strategy.stuck",
        steps=(Step(action="wait", proof_s=5), Step(action="hand_over", proof_s=60, budget=1, cooldown_s=600)),
        halts_safely="The strategy decides nothing; its desk is watched. A person is paged.",
    ),
    Ladder(
        failure="desk.down",
        parts=("desk/*",),
        steps=(Step(action="wait", proof_s=20), Step(action="hand_over", proof_s=60, budget=2, cooldown_s=600)),
        halts_safely="No order leaves. A person is paged.",
    ),
    # The keeper repairs these; here they are only told.
    Ladder(failure="node.death", parts=("standby",), degraded_too=True, halts_safely="The trader trades on alone."),
    Ladder(failure="node.hang", halts_safely="The keeper ends a node whose loop stands still."),
)
