"""The sentence at the top of the page: what is wrong first, else who trades and who stands by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.console.who_holds import THERE, LeaseLine, NodeLine
from trading_orchestrator.perpetual_operations.health.diagnosis import WELL, as_sentence, spoken
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.incidents.incident import Incident


class Verdict(msgspec.Struct, frozen=True):
    """`state` gives the colour, `sentence` says it in words, `more` holds what else should be known."""

    state: HealthState
    sentence: str
    more: tuple[str, ...] = ()


def judge(
    health: HealthReport,
    nodes: Sequence[NodeLine],
    leases: Sequence[LeaseLine],
    desks: Sequence[Mapping[str, Any]],
    alerts: Sequence[Mapping[str, Any]] = (),
    elsewhere: Sequence[Incident] = (),
) -> Verdict:
    """Return the verdict: the worst thing is the sentence, the rest is `more`.

    Args:
        health: of all nodes.
        elsewhere: incidents of other nodes; those of this one are in its health.
    """
    worries = [*_of_desks(desks), *_of_health(health), *_of_standby(nodes, leases, health)]
    worries += _of_alerts(alerts, "critical", HealthState.UNHEALTHY)
    worries += _of_alerts(alerts, "warning", HealthState.DEGRADED)
    told = {(part.node, part.name) for part in health.parts if part.state not in WELL}
    worries += _of_incidents(
        [one for one in elsewhere if (one.node, one.part) not in told],
        {node.node for node in nodes if node.state in THERE},
    )
    if not worries:
        return Verdict(HealthState.HEALTHY, _all_well(nodes, leases, health))
    worries.sort(key=lambda worry: _WORST_FIRST.index(worry[0]))
    return Verdict(worries[0][0], worries[0][1], tuple(said for _, said in worries[1:]))


STANDBY = "standby"
"""The probe of a program that runs more than one node."""
_WORST_FIRST = (HealthState.UNHEALTHY, HealthState.UNKNOWN, HealthState.DEGRADED, HealthState.STARTING)
Worry = tuple[HealthState, str]


def _of_health(health: HealthReport) -> list[Worry]:
    if health.state is HealthState.HEALTHY:
        return []
    state = health.state if health.state in _WORST_FIRST else HealthState.UNHEALTHY
    return [(state, as_sentence(health.verdict))]


def _of_desks(desks: Sequence[Mapping[str, Any]]) -> list[Worry]:
    worries: list[Worry] = []
    for desk in desks:
        name, lease, mode = desk["desk"], desk.get("lease"), str(desk.get("mode", "normal"))
        if lease is None or lease.state != "held":
            why = f"it {desk['held_up']}" if desk.get("held_up") else "its lease is waiting to be taken"
            worries.append((HealthState.UNHEALTHY, f"Nobody trades desk {name}: {why}."))
        elif mode == "killed":
            verified = "verified" if desk.get("kill_verified") else "NOT yet verified"
            said = f"Desk {name} is KILLED{_because(desk)}: {verified} that nothing is open."
            worries.append((HealthState.UNHEALTHY, said))
        elif mode == "halted":
            worries.append((HealthState.UNHEALTHY, f"Desk {name} is halted{_because(desk)}."))
        elif mode != "normal":
            worries.append((HealthState.DEGRADED, f"Desk {name} is {mode.replace('_', ' ')}{_because(desk)}."))
        worries += _of_doubts(name, desk)
    return worries


def _of_doubts(name: str, desk: Mapping[str, Any]) -> list[Worry]:
    """Orders whose fate is not known, and symbols on which the desk may not trade."""
    worries = [
        (HealthState.DEGRADED, f"Desk {name} does not trade {symbol}: {reason}.")
        for symbol, reason in desk.get("blocked", {}).items()
    ]
    unknown = int(desk.get("unknown_orders", 0))
    if unknown:
        are = "order is" if unknown == 1 else "orders are"
        worries.append((HealthState.DEGRADED, f"Desk {name}: {unknown} {are} unknown and being asked for."))
    return worries


def _of_alerts(alerts: Sequence[Mapping[str, Any]], severity: str, state: HealthState) -> list[Worry]:
    """What fires so severely and nobody has taken or put off; everything else stands in its own section alone."""
    names = [
        str(one["name"])
        for one in alerts
        if one["severity"] == severity
        and one["state"] != "suppressed"
        and not one["acknowledged"]
        and not one.get("snoozed")
    ]
    if not names:
        return []
    fires = f"A {severity} alert fires" if len(names) == 1 else f"{len(names)} {severity} alerts fire"
    return [(state, f"{fires}: {', '.join(dict.fromkeys(names))}.")]


def _of_incidents(incidents: Sequence[Incident], living: set[str]) -> list[Worry]:
    """What other living nodes are repairing."""
    return [
        (HealthState.UNHEALTHY, f"{as_sentence(spoken(one.part))} is in trouble on node {one.node}: {one.reason}.")
        for one in incidents
        if not one.is_over and one.node in living
    ]


def _of_standby(nodes: Sequence[NodeLine], leases: Sequence[LeaseLine], health: HealthReport) -> list[Worry]:
    """One node that holds everything has nobody to hand over to; where none is wanted, nobody watches for one."""
    living = [node for node in nodes if node.state in THERE]
    if not leases or not living or len(nodes) < 2 or all(part.name != STANDBY for part in health.parts):
        return []
    if len([node for node in living if node.state == "ready"]) >= 2:
        return []
    return [(HealthState.DEGRADED, f"No standby is ready: node {living[0].node} is alone until another one is.")]


def _all_well(nodes: Sequence[NodeLine], leases: Sequence[LeaseLine], health: HealthReport) -> str:
    desks = [lease for lease in leases if lease.lease.startswith("desk/")]
    if not desks:
        return health.verdict
    trading = "; ".join(f"node {lease.holder} trades desk {lease.lease.removeprefix('desk/')}" for lease in desks)
    holders = {lease.holder for lease in desks}
    ready = [node.node for node in nodes if node.state == "ready" and node.node not in holders]
    return f"All well: {trading}{f', node {ready[0]} stands by' if ready else ''}."


def _because(desk: Mapping[str, Any]) -> str:
    reason = desk.get("mode_reason") or desk.get("reason")
    return f" ({reason})" if reason else ""
