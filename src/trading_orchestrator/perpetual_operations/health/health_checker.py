"""HealthChecker: probes with deadlines over a dependency graph, and a verdict in one sentence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.deadline import Deadline, DeadlinePassed
from trading_orchestrator.perpetual_operations.dependencies import start_order
from trading_orchestrator.perpetual_operations.health.diagnosis import Finding, diagnose, verdict, worst
from trading_orchestrator.perpetual_operations.health.steadying import Steadying

READY = (HealthState.HEALTHY, HealthState.DEGRADED)
Probe = Callable[[], Awaitable[Health]]


class ProbeTaken(Refused):
    """A probe of this name is registered already. Facts: name."""

    code = "health.probe_taken"


class ProbeWithoutDeadline(Refused):
    """A probe must answer within a time above 0. Facts: name."""

    code = "health.probe_without_deadline"


class Kind(Enum):
    """What a probe asks. A process that fails LIVENESS is to be ended, one that fails READINESS not to be asked."""

    LIVENESS = "liveness"
    READINESS = "readiness"
    PROGRESS = "progress"


class PartHealth(msgspec.Struct, frozen=True):
    """One part in a report. `since_ns`: when it came into this state; `because_of`: the root causes upstream;
    `failure`: what is wrong, in the words of the recovery ladders; `for_readiness`: while it is down, we are not ready.
    `elsewhere`: another node answers for it at present; `node`: who says so, where several nodes are told of at once.
    """

    name: str
    state: HealthState
    reason: str
    because_of: tuple[str, ...]
    depends_on: tuple[str, ...]
    took_ms: float
    since_ns: int
    failure: str = ""
    kind: Kind = Kind.READINESS
    for_readiness: bool = True
    elsewhere: bool = False
    node: str = ""


class HealthReport(msgspec.Struct, frozen=True):
    """One round of probes of one node: the worst state, the verdict, and every part."""

    at_ns: int
    state: HealthState
    verdict: str
    root_causes: tuple[str, ...]
    parts: tuple[PartHealth, ...]
    node: str = ""

    @property
    def is_live(self) -> bool:
        """Return whether no probe of liveness says that this process is to be ended."""
        return not any(part.kind is Kind.LIVENESS and part.state is HealthState.UNHEALTHY for part in self.parts)

    @property
    def is_ready(self) -> bool:
        """Return whether everything that readiness depends on is there; nothing is before the first round."""
        if not self.parts:
            return self.state is not HealthState.STARTING
        return all(part.state in READY for part in self.parts if part.for_readiness)


@dataclass(frozen=True)
class AtOnce:
    """A probe that knows without asking anybody: it costs no task and no timer a round, and needs no deadline."""

    health: Callable[[], Health]

    async def __call__(self) -> Health:
        return self.health()


@dataclass(frozen=True)
class Watched:
    """A registered probe."""

    name: str
    probe: Probe
    deadline_s: float
    depends_on: tuple[str, ...]
    kind: Kind = Kind.READINESS
    for_readiness: bool = True


class HealthChecker:
    """Runs every probe each round, all at once, each within its deadline. One event loop.

    Args:
        fall, rise: readings in a row before a part counts as worse, or as better again.
        node: whose parts these are.
    """

    name = "health_checker"
    depends_on: Sequence[str] = ()

    def __init__(
        self, clock: Clock, *, interval_s: float, deadline_s: float, fall: int = 1, rise: int = 1, node: str = ""
    ) -> None:
        self._clock = clock
        self._node = node
        self._interval_s = interval_s
        self._deadline_s = deadline_s
        self._fall = fall
        self._rise = rise
        self._watched: dict[str, Watched] = {}
        self._followers: list[Callable[[], None]] = []
        self._steadied: dict[str, Steadying] = {}
        self._since: dict[str, tuple[HealthState, int]] = {}
        self._report = HealthReport(clock.wall_ns(), HealthState.STARTING, "No probe has answered yet.", (), (), node)

    @property
    def report(self) -> HealthReport:
        """Return the newest report at once, without I/O."""
        return self._report

    def follow(self, told: Callable[[], None]) -> None:
        """Have `told` called on the loop after each round; it must not block."""
        self._followers.append(told)

    def add(
        self,
        name: str,
        probe: Probe,
        *,
        deadline_s: float | None = None,
        depends_on: Sequence[str] = (),
        kind: Kind = Kind.READINESS,
        for_readiness: bool | None = None,
        is_proof: bool = False,
    ) -> None:
        """Watch one more part from the next round on. What it depends on may be added later, before `run`.

        Args:
            is_proof: one reading of it is enough either way, because it tells what is proved and cannot flap.
            for_readiness: whether this process is not ready while the part is down; None: all but probes of progress.

        Raises:
            ProbeTaken: choose another name.
            ProbeWithoutDeadline: a probe that may take for ever would hide what it looks at.
        """
        if name in self._watched:
            raise ProbeTaken(f"a probe named {name!r} is registered already: choose another name", name=name)
        deadline_s = self._deadline_s if deadline_s is None else deadline_s
        if not 0 < deadline_s < math.inf:
            raise ProbeWithoutDeadline(
                f"the probe {name!r} needs a deadline: expected seconds above 0, was {deadline_s}", name=name
            )
        counts = kind is not Kind.PROGRESS if for_readiness is None else for_readiness
        self._watched[name] = Watched(name, probe, deadline_s, tuple(depends_on), kind, counts)
        self._steadied[name] = Steadying(1, 1) if is_proof else Steadying(self._fall, self._rise)

    def watches(self, name: str) -> bool:
        """Return whether a part of this name is watched."""
        return name in self._watched

    async def word_of(self, name: str) -> Health | None:
        """Ask one part now and return its own word, which nothing steadies or explains; None: it is not watched."""
        part = self._watched.get(name)
        return None if part is None else await self._answer(part)

    def remove(self, name: str) -> None:
        """Watch this part no longer; unknown names are ignored."""
        self._watched.pop(name, None)
        self._steadied.pop(name, None)
        self._since.pop(name, None)

    def health(self) -> Health:
        age_s = (self._clock.wall_ns() - self._report.at_ns) / 1e9
        if age_s > 3 * self._interval_s + max((part.deadline_s for part in self._watched.values()), default=0) + 1:
            return Health(HealthState.UNHEALTHY, f"the last round ended {age_s:.0f} s ago")
        return Health(HealthState.HEALTHY, f"{len(self._watched)} probes")

    def check_graph(self) -> None:
        """Refuse dependencies that name nobody, or form a circle."""
        start_order(self._graph())

    def set_aside(self, because: str) -> None:
        """Say that nobody is asked at present; what was found last is no finding any more."""
        told = f"Health is not checked: switched off by {because}."
        self._report = HealthReport(self._report.at_ns, HealthState.UNKNOWN, told, (), (), self._node)

    async def check(self) -> HealthReport:
        """Run one round now and return its report."""
        watched = list(self._watched.values())
        asked = [part for part in watched if not isinstance(part.probe, AtOnce)]
        awaited = await asyncio.gather(*(self._ask(part) for part in asked))
        answers = dict(zip((part.name for part in asked), awaited, strict=True))
        answers |= {part.name: self._word(part.probe) for part in watched if isinstance(part.probe, AtOnce)}
        readings = {
            part.name: self._steadied[part.name].hear(answers[part.name][0])
            for part in watched
            if part.name in self._steadied
        }
        took_ms = {name: took for name, (_, took) in answers.items()}
        findings = diagnose(readings, self._graph())
        now_ns = self._clock.wall_ns()
        self._report = HealthReport(
            at_ns=now_ns,
            state=worst([finding.state for finding in findings]),
            verdict=verdict(findings),
            root_causes=tuple(finding.name for finding in findings if finding.is_cause),
            parts=tuple(self._part(finding, took_ms[finding.name], now_ns) for finding in findings),
            node=self._node,
        )
        for told in self._followers:
            told()
        return self._report

    async def run(self) -> None:
        """Check until cancelled."""
        self.check_graph()
        while True:
            await self.check()
            await self._clock.sleep(self._interval_s)

    def _word(self, probe: AtOnce) -> tuple[Health, float]:
        began_ns = self._clock.monotonic_ns()
        try:
            health = probe.health()
        except Exception as error:  # noqa: BLE001  # as below: whatever it raises is its answer
            health = _failed(error)
        return health, round((self._clock.monotonic_ns() - began_ns) / 1e6, 3)

    async def _ask(self, part: Watched) -> tuple[Health, float]:
        began_ns = self._clock.monotonic_ns()
        health = await self._answer(part)
        return health, round((self._clock.monotonic_ns() - began_ns) / 1e6, 3)

    async def _answer(self, part: Watched) -> Health:
        try:
            return await Deadline(self._clock, part.deadline_s).run(part.probe())
        except DeadlinePassed:
            return Health(HealthState.UNHEALTHY, f"no answer within {part.deadline_s:g} s")
        except OrchestratorError as error:
            return Health(HealthState.UNHEALTHY, error.message)
        except Exception as error:  # noqa: BLE001  # a probe is foreign code: whatever it raises is its answer
            return _failed(error)

    def _part(self, finding: Finding, took_ms: float, now_ns: int) -> PartHealth:
        before = self._since.get(finding.name)
        if before is None or before[0] is not finding.state:
            before = self._since[finding.name] = (finding.state, now_ns)
        watched = self._watched.get(finding.name)
        return PartHealth(
            name=finding.name,
            state=finding.state,
            reason=finding.reason,
            because_of=finding.because_of,
            depends_on=watched.depends_on if watched is not None else (),
            took_ms=took_ms,
            since_ns=before[1],
            failure=finding.failure,
            kind=watched.kind if watched is not None else Kind.READINESS,
            for_readiness=watched is not None and watched.for_readiness,
            elsewhere=finding.elsewhere,
        )

    def _graph(self) -> Mapping[str, Sequence[str]]:
        return {part.name: part.depends_on for part in self._watched.values()}


def _failed(error: Exception) -> Health:
    return Health(HealthState.UNKNOWN, f"the probe failed: {type(error).__name__}: {error}")
