"""A component: anything with a name, a run, a health and dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class HealthState(Enum):
    """How a component is, worst last among the running ones."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Health:
    """A state and the sentence that explains it to an operator.

    `failure` names what is wrong in the words of the recovery ladders, e.g. `broker.key_revoked`; "" leaves it to the
    ladder of the part. `elsewhere`: another process answers for the part at present, so this is no finding about it.
    """

    state: HealthState
    reason: str = ""
    failure: str = ""
    elsewhere: bool = False


class Component(Protocol):
    """What a supervisor can run and a health checker can ask."""

    @property
    def name(self) -> str:
        """Return the unique, stable name, e.g. `desk/paper`."""
        ...

    @property
    def depends_on(self) -> Sequence[str]:
        """Return the names of the components that must be healthy for this one to be."""
        ...

    def health(self) -> Health:
        """Return the present health at once, without I/O."""
        ...

    async def run(self) -> None:
        """Run until cancelled. Returning or raising is an exit that the supervisor handles."""
        ...
