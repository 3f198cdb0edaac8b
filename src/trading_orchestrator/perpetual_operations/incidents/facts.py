"""What is journaled of a failure, from its detection to the proof of recovery: stream `ops/incidents`."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

STREAM = "ops/incidents"
Outcome = Literal["done", "failed", "late", "skipped"]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of operations. `at_ns`: when it happened (UTC); the journal may have come back only later."""

    kind: ClassVar[str]
    at_ns: int


class Body(Recorded, frozen=True, kw_only=True):
    """A fact of one incident."""

    incident_id: str


class Opened(Body, frozen=True, kw_only=True):
    """A root cause was found. `last_well_ns`: the last time the part read well, 0 when it never did."""

    kind: ClassVar[str] = "incident.opened"
    part: str
    failure: str
    reason: str
    last_well_ns: int


class Joined(Body, frozen=True, kw_only=True):
    """One more part suffers from the same cause."""

    kind: ClassVar[str] = "incident.joined"
    part: str
    reason: str


class Merged(Body, frozen=True, kw_only=True):
    """What looked like a cause of its own has a deeper one: the story goes on there."""

    kind: ClassVar[str] = "incident.merged"
    into: str


class Correlated(Body, frozen=True, kw_only=True):
    """Another node's incident has the same cause and was journaled first: it stands for this one, which goes on."""

    kind: ClassVar[str] = "incident.correlated"
    same_cause_as: str
    node: str


class Noted(Body, frozen=True, kw_only=True):
    """Something that belongs to the story: a new reason, a circuit that opened, an operator's note."""

    kind: ClassVar[str] = "incident.noted"
    note: str
    by: str = ""


class Reclassified(Body, frozen=True, kw_only=True):
    """The part reads worse than it did: the failure is of another class, and climbs that one's ladder from now on."""

    kind: ClassVar[str] = "incident.reclassified"
    failure: str
    was: str
    reason: str


class LetGo(Body, frozen=True, kw_only=True):
    """This node watches the part no longer, and has proved nothing: whichever node does goes on with the incident."""

    kind: ClassVar[str] = "incident.let_go"
    why: str


class Inherited(Body, frozen=True, kw_only=True):
    """A node goes on with what another left open. `was`: that one; "" when it had let go."""

    kind: ClassVar[str] = "incident.inherited"
    node: str
    was: str


class StepStarted(Body, frozen=True, kw_only=True):
    """A step of the ladder begins; `attempt` counts from 1."""

    kind: ClassVar[str] = "recovery.step_started"
    step: int
    action: str
    attempt: int


class StepEnded(Body, frozen=True, kw_only=True):
    """A step ended. `said`: the action's own sentence, or why it failed or was skipped."""

    kind: ClassVar[str] = "recovery.step_ended"
    step: int
    action: str
    attempt: int
    outcome: Outcome
    said: str
    took_ms: float


class Exhausted(Body, frozen=True, kw_only=True):
    """No step helped: a person is needed. The ladder begins again after `again_in_s`.

    left: what the ladder leaves behind, and what a person does to undo it.
    """

    kind: ClassVar[str] = "recovery.exhausted"
    part: str
    failure: str
    again_in_s: float
    left: str = ""


class Resolved(Body, frozen=True, kw_only=True):
    """The part is proved well. `by`: the action that brought it back; "" when it came back by itself.

    One of `UNPROVED`: it ended without that, and `proof` says why nobody goes on with it.
    """

    kind: ClassVar[str] = "incident.resolved"
    proof: str
    by: str


class ComponentEnded(Recorded, frozen=True, kw_only=True):
    """A component ended unasked and is started anew after `wait_s`."""

    kind: ClassVar[str] = "component.ended"
    component: str
    reason: str
    wait_s: float
    ends_in_row: int
    over_budget: bool


CIRCUITS = "circuits"
"""The projection of operators' words: by circuit, the last `circuit.changed` that one of them made."""


class CircuitChanged(Recorded, frozen=True, kw_only=True):
    """A circuit opened, closed, or lets a probe through. `by`: the operator, when one did it."""

    kind: ClassVar[str] = "circuit.changed"
    circuit: str
    was: str
    now: str
    reason: str
    by: str


SUCCESSOR, NOT_WATCHED = "its node's end", "no watch"
UNPROVED = (SUCCESSOR, NOT_WATCHED)
ALL: tuple[type[Body], ...] = (
    Opened,
    Joined,
    Merged,
    Correlated,
    Reclassified,
    LetGo,
    Inherited,
    Noted,
    StepStarted,
    StepEnded,
    Exhausted,
    Resolved,
)
KINDS: dict[str, type[Body]] = {body.kind: body for body in ALL}
