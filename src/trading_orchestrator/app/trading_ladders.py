"""The ladders of the trading wing: what is tried when a venue, a desk or a strategy fails."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Step

A_PERSON_LOOKS_S = 3600.0

# While a venue is away no order leaves and doubts are asked after by the desk itself: most outages just end. Another
# node would reach no more of it, and could not even begin: nobody hands over because of a venue.
TRADING_LADDERS: tuple[Ladder, ...] = (
    Ladder(
        failure="broker.disconnected",
        parts=("broker/*",),
        steps=(Step(action="wait", proof_s=60),),
        halts_safely="No order leaves; what rests at the venue rests. The desk goes on by itself when it is back.",
    ),
    Ladder(
        failure="broker.mute",
        steps=(Step(action="wait", proof_s=30), Step(action="reduce_desk", proof_s=5)),
        halts_safely=(
            "Orders without an answer stay unknown with their exposure reserved, and the desk takes no new risk until "
            "`desk resume`."
        ),
    ),
    Ladder(
        failure="broker.banned",
        steps=(Step(action="wait", proof_s=300),),
        halts_safely="Nothing is asked before the ban ends; cancels go first after it. A person is paged.",
    ),
    Ladder(
        failure="broker.key_revoked",
        outranks=("broker.disconnected", "broker.mute", "broker.banned"),
        pages_at_once=True,
        halts_safely="The desk is halted; only a person can bring a key that works.",
    ),
    Ladder(
        failure="strategy.crashed",
        parts=("strategy/*",),
        steps=(Step(action="restart_strategy", proof_s=10, budget=3), Step(action="disable_strategy", proof_s=5)),
        again_s=A_PERSON_LOOKS_S,
        halts_safely="The strategy is disabled and its orders are canceled; the others trade on.",
    ),
    Ladder(
        failure="strategy.stuck",
        steps=(
            Step(action="restart_strategy", deadline_s=30, proof_s=10, budget=2),
            Step(action="disable_strategy", proof_s=5),
        ),
        again_s=A_PERSON_LOOKS_S,
        halts_safely="The strategy is disabled, its orders are canceled, and its desk may only reduce.",
    ),
    # Its node was ended for it; a second one and the desk itself keeps it out (docs/adr/0008).
    Ladder(
        failure="strategy.looping",
        steps=(Step(action="wait", proof_s=20), Step(action="disable_strategy", proof_s=5)),
        again_s=A_PERSON_LOOKS_S,
        halts_safely="The strategy stays out, and its desk may only reduce.",
    ),
    Ladder(
        failure="desk.down",
        parts=("desk/*",),
        steps=(
            Step(action="wait", proof_s=20),
            Step(action="hand_over", proof_s=60, budget=2, cooldown_s=600),
            Step(action="halt_desk", proof_s=5),
        ),
        halts_safely="No order leaves, and none will before `desk resume` when the desk is back.",
    ),
    # The keeper repairs these: the proof is that another node is ready again.
    Ladder(
        failure="node.death",
        parts=("standby",),
        degraded_too=True,
        steps=(Step(action="wait_for_keeper", deadline_s=30, proof_s=10, tries=2),),
        halts_safely="This node trades on alone.",
    ),
    Ladder(
        failure="node.hang",
        degraded_too=True,
        steps=(Step(action="wait_for_keeper", deadline_s=30, proof_s=10, tries=2),),
        halts_safely="This node trades on alone.",
    ),
)
