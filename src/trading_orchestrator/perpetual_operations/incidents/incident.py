"""An incident: one root cause, from its detection to the proof that it is over; a fold over facts."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from trading_orchestrator.perpetual_operations.incidents import facts as f

PROJECTION = "incidents"
TIMELINE_MAX = 400  # a row holds at most 1 MB; beyond it the journal alone has the rest


class Entry(msgspec.Struct, frozen=True):
    """One line of a timeline."""

    at_ns: int
    what: str


class Step(msgspec.Struct, frozen=True):
    """One step that was taken or skipped."""

    action: str
    attempt: int
    outcome: f.Outcome
    said: str
    took_ms: float


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one incident. `detected_after_s`: from the last good reading; None: it never read well.

    `same_cause_as`: the incident of another node that stands for this one, "" when it stands for itself.

    `state`: open, exhausted (a person is needed), resolved, or merged into a deeper one.
    """

    incident_id: str
    node: str
    part: str
    failure: str
    reason: str
    opened_ns: int
    last_well_ns: int
    state: Literal["open", "exhausted", "resolved", "merged"] = "open"
    ended_ns: int = 0
    ended_by: str = ""
    merged_into: str = ""
    same_cause_as: str = ""
    proof: str = ""
    affected: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    timeline: tuple[Entry, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is expected to happen."""
        return self.state in ("resolved", "merged")

    @property
    def detected_after_s(self) -> float | None:
        return (self.opened_ns - self.last_well_ns) / 1e9 if self.last_well_ns else None

    @property
    def recovered_after_s(self) -> float | None:
        """Return the seconds from detection to the proof of recovery, or None."""
        return (self.ended_ns - self.opened_ns) / 1e9 if self.state == "resolved" else None


def opened(body: f.Opened, node: str) -> Incident:
    """Return the incident that this fact begins."""
    return Incident(
        incident_id=body.incident_id,
        node=node,
        part=body.part,
        failure=body.failure,
        reason=body.reason,
        opened_ns=body.at_ns,
        last_well_ns=body.last_well_ns,
        timeline=(Entry(body.at_ns, f"detected: {body.part}: {body.reason}"),),
    )


def after(incident: Incident, body: f.Body) -> Incident:
    """Return the incident after one more fact of its own."""
    what = _told(body)
    timeline = (*incident.timeline, Entry(body.at_ns, what))[:TIMELINE_MAX] if what else incident.timeline
    incident = replace(incident, timeline=timeline)
    match body:
        case f.Joined():
            return replace(incident, affected=tuple(dict.fromkeys((*incident.affected, body.part))))
        case f.StepEnded():
            step = Step(body.action, body.attempt, body.outcome, body.said, body.took_ms)
            return replace(incident, steps=(*incident.steps, step)[:TIMELINE_MAX])
        case f.Exhausted():
            return replace(incident, state="exhausted")
        case f.Correlated():
            return replace(incident, same_cause_as=body.same_cause_as)
        case f.Merged():
            return replace(incident, state="merged", ended_ns=body.at_ns, merged_into=body.into)
        case f.Resolved():
            return replace(incident, state="resolved", ended_ns=body.at_ns, ended_by=body.by, proof=body.proof)
    return incident


def _told(body: f.Body) -> str:
    match body:
        case f.Joined():
            return f"affects {body.part}: {body.reason}" if body.reason else f"affects {body.part}"
        case f.Merged() | f.Correlated():
            return _related(body)
        case f.Noted():
            return f"{body.by} noted: {body.note}" if body.by else body.note
        case f.StepStarted():
            return f"step {body.step}, attempt {body.attempt}: {body.action} begins"
        case f.StepEnded():
            return f"step {body.step}, attempt {body.attempt}: {body.action} {body.outcome}: {body.said}"
        case f.Exhausted():
            again = f"; the ladder begins again in {body.again_in_s:g} s" if body.again_in_s else ""
            return f"no step helped: a person is needed{again}"
        case f.Resolved():
            return f"recovered {f'by {body.by}' if body.by else 'by itself'}: {body.proof}"
    return ""


def _related(body: f.Merged | f.Correlated) -> str:
    if isinstance(body, f.Merged):
        return f"part of incident {body.into}"
    return f"has the same cause as incident {body.same_cause_as} of node {body.node}"
