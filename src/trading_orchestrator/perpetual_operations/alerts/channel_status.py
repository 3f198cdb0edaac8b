"""How each channel does, for whoever asks: its health, circuit, budget, pause, and what its receiver said last."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.loading import Plan
from trading_orchestrator.perpetual_operations.alerts.switchboard import NODE_LOG, Switchboard


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One channel.

    kind: as in the config. state, reason: its health. circuit: closed, open, half_open or forced_open.
    budget_per_min, budget_left: how many messages a minute, and how many may go at once now; None without limit.
    waiting, under_way: messages that wait for the budget, and tries that have no answer yet.
    paused_for_s: what is left of a pause that the receiver asked for. fallback: the channel that takes over.
    receivers, people: who is reached by it. The answers are those since the channels were opened.
    """

    name: str
    kind: str
    state: str
    reason: str
    circuit: str
    budget_per_min: float | None
    budget_left: int | None
    waiting: int
    under_way: int
    paused_for_s: float
    fallback: str | None
    receivers: tuple[str, ...]
    people: tuple[str, ...]
    sent_total: int
    failed_total: int
    refused_total: int
    last_answer: str
    last_answer_at_ns: int | None
    last_error: str
    last_error_at_ns: int | None


def channel_statuses(plan: Plan, board: Switchboard) -> Sequence[ChannelStatus]:
    """Return every open channel, in the order of the config."""
    return [_status(plan, lane) for lane in board.lanes.values()]


def _status(plan: Plan, lane: Lane) -> ChannelStatus:
    health, figures = lane.health(), lane.figures
    receivers = [name for name, one in plan.receivers.items() if lane.name in (one.channels or (NODE_LOG,))]
    people = [
        name for name, one in plan.config.users.items() if lane.name in {contact.channel for contact in one.contacts}
    ]
    return ChannelStatus(
        name=lane.name,
        kind=str(plan.config.channels.get(lane.name, {"kind": "log"})["kind"]),
        state=health.state.value,
        reason=health.reason,
        circuit=lane.breaker.state.value,
        budget_per_min=lane.config.budget_per_min or None,
        budget_left=lane.budget_left,
        waiting=figures.waiting,
        under_way=figures.under_way,
        paused_for_s=lane.pause_left_s,
        fallback=lane.config.fallback,
        receivers=tuple(receivers),
        people=tuple(people),
        sent_total=figures.sent_total,
        failed_total=figures.failed_total,
        refused_total=figures.refused_total,
        last_answer=figures.last_answer,
        last_answer_at_ns=figures.last_answer_at_ns,
        last_error=figures.last_error,
        last_error_at_ns=figures.last_error_at_ns,
    )
