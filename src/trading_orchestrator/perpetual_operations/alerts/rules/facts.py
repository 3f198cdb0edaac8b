"""The facts of the rules (stream `ops/alerts`), as they are stored."""

from __future__ import annotations

import msgspec

from trading_orchestrator.perpetual_operations.alerts.rules.fact_book import FactsRead
from trading_orchestrator.perpetual_operations.alerts.rules.heartbeats import HeartbeatForgotten, HeartbeatHeard
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleChanged

Body = RuleChanged | FactsRead | HeartbeatHeard | HeartbeatForgotten
KINDS: dict[str, type[Body]] = {
    body.kind: body for body in (RuleChanged, FactsRead, HeartbeatHeard, HeartbeatForgotten)
}


def body_of(kind: str, body: bytes) -> Body | None:
    """Return a stored fact's body, or None for a kind of another part of the stream."""
    known = KINDS.get(kind)
    return None if known is None else msgspec.json.decode(body, type=known)
