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

    `node`: whose it is; "" when the last one let go of it.
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
    def is_proved(self) -> bool:
        """Return whether it ended because the part read well."""
        return self.state == "resolved" and self.ended_by not in f.UNPROVED

    @property
    def detected_after_s(self) -> float | None:
        return (self.opened_ns - self.last_well_ns) / 1e9 if self.last_well_ns else None

    @property
    def recovered_after_s(self) -> float | None:
        """Return the seconds from detection to the proof of recovery, or None."""
        return (self.ended_ns - self.opened_ns) / 1e9 if self.is_proved else None


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
        case f.Reclassified():
            return replace(incident, failure=body.failure, reason=body.reason)
        case f.LetGo() | f.Inherited():
            return replace(incident, node=body.node if isinstance(body, f.Inherited) else "")
        case f.Correlated():
            return replace(incident, same_cause_as=body.same_cause_as)
        case f.Merged() | f.Resolved():
            return _ended(incident, body)
    return incident


def _ended(incident: Incident, body: f.Merged | f.Resolved) -> Incident:
    if isinstance(body, f.Merged):
        return replace(incident, state="merged", ended_ns=body.at_ns, merged_into=body.into)
    return replace(incident, state="resolved", ended_ns=body.at_ns, ended_by=body.by, proof=body.proof)


def _told(body: f.Body) -> str:
    match body:
        case f.Joined():
            return f"affects {body.part}: {body.reason}" if body.reason else f"affects {body.part}"
        case f.Noted():
            return f"{body.by} noted: {body.note}" if body.by else body.note
        case f.Reclassified():
            return f"is worse: {body.failure}, no longer {body.was}: {body.reason}"
        case f.StepStarted() | f.StepEnded():
            return _stepped(body)
        case f.Exhausted():
            again = f"; the ladder begins again in {body.again_in_s:g} s" if body.again_in_s else ""
            return f"no step helped: a person is needed{again}{f'. {body.left}' if body.left else ''}"
        case f.Resolved():
            by = f"by {body.by}" if body.by else "by itself"
            return f"{'ended without proof' if body.by in f.UNPROVED else f'recovered {by}'}: {body.proof}"
    return _related(body)


def _stepped(body: f.StepStarted | f.StepEnded) -> str:
    about = f"step {body.step}, attempt {body.attempt}: {body.action}"
    return f"{about} begins" if isinstance(body, f.StepStarted) else f"{about} {body.outcome}: {body.said}"


def _related(body: f.Body) -> str:
    """To other incidents, or to another node."""
    match body:
        case f.Merged():
            return f"part of incident {body.into}"
        case f.Correlated():
            return f"has the same cause as incident {body.same_cause_as} of node {body.node}"
        case f.LetGo():
            return f"left to whichever node watches it now: {body.why}"
        case f.Inherited():
            return f"node {body.node} goes on with it{f', after node {body.was}' if body.was else ''}"
    return ""
