"""Who is down because of whom: a pure function over readings and the dependency graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_orchestrator.kernel.component import Health, HealthState

WELL = frozenset({HealthState.HEALTHY, HealthState.STARTING})
DOWN = frozenset({HealthState.UNHEALTHY, HealthState.UNKNOWN, HealthState.STOPPED})
BRINGS_ABOUT: Mapping[str, tuple[str, ...]] = {
    "disk.full": ("database.lost",),
    "cpu.saturated": ("event_loop.blocked",),
    "memory.leak": ("memory.pressure",),
}
"""Failures of parts that still work, and what follows from them where a part depends on theirs. Any other failure of
such a part has a reason of its own: a journal that another program locks is not the full disk's, and one that is lost
while the disk is merely below its floor is not the disk's either."""
SPOKEN: Mapping[str, str] = {"cpu": "CPU", "dead_mans_switch": "dead man's switch"}
BAD_FIRST = (
    HealthState.UNHEALTHY,
    HealthState.UNKNOWN,
    HealthState.STOPPED,
    HealthState.DEGRADED,
    HealthState.STARTING,
    HealthState.HEALTHY,
)


class Finding(msgspec.Struct, frozen=True):
    """One part after the diagnosis. `because_of` names the root causes upstream; empty: it speaks for itself.

    elsewhere: as in `Health`.
    """

    name: str
    state: HealthState
    reason: str
    because_of: tuple[str, ...] = ()
    failure: str = ""
    elsewhere: bool = False

    @property
    def is_cause(self) -> bool:
        """Return whether the part is unwell and nothing upstream explains it."""
        return self.state not in WELL and not self.because_of


def diagnose(readings: Mapping[str, Health], depends_on: Mapping[str, Sequence[str]]) -> Sequence[Finding]:
    """Return one finding per reading, in its order: causes keep their state, dependants name their causes.

    A dependant that reads healthy while something below it is down is degraded: its reading is old or lucky. What is
    merely degraded pulls nobody down, and is the cause only of the failures in `BRINGS_ABOUT`.
    """
    known: dict[str, tuple[str, ...]] = {}
    return _unless_told_elsewhere(
        [_finding(name, health, _roots(name, readings, depends_on, known)) for name, health in readings.items()]
    )


def worst(states: Sequence[HealthState]) -> HealthState:
    """Return the state an operator must see first; healthy when there are none."""
    return min(states, key=BAD_FIRST.index, default=HealthState.HEALTHY)


def verdict(findings: Sequence[Finding]) -> str:
    """Return the whole in one sentence, root causes first."""
    causes = [finding for finding in findings if finding.is_cause]
    starting = [finding.name for finding in findings if finding.state is HealthState.STARTING]
    if not findings:
        return "Nothing is watched yet."
    if causes:
        told = "; ".join(_told(cause) for cause in causes)
        affected = [finding.name for finding in findings if finding.because_of]
        return f"{told}{f' (affects {_listed(affected)})' if affected else ''}."
    if starting:
        return f"Starting: {_listed(starting)}."
    return "All well: every part that is watched is healthy."


def _finding(name: str, health: Health, causes: tuple[str, ...]) -> Finding:
    if not causes:
        return Finding(name, health.state, health.reason, failure=health.failure, elsewhere=health.elsewhere)
    state = HealthState.DEGRADED if health.state in WELL else health.state
    return Finding(name, state, health.reason, causes, health.failure, health.elsewhere)


def _roots(
    name: str,
    readings: Mapping[str, Health],
    depends_on: Mapping[str, Sequence[str]],
    known: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Walk upstream: what is down there, or explains what is wrong here, and has no such cause of its own."""
    if name in known:
        return known[name]
    known[name] = ()  # a circle ends here
    found: dict[str, None] = {}
    for upstream in depends_on.get(name, ()):
        if upstream not in readings:
            continue
        below = _roots(upstream, readings, depends_on, known)
        if below:
            found |= dict.fromkeys(below)
        elif readings[upstream].state in DOWN or _explains(readings[upstream], readings[name]):
            found[upstream] = None
    known[name] = tuple(found)
    return known[name]


def _explains(upstream: Health, dependant: Health) -> bool:
    """A part that is merely degraded is the cause of what its failure is known to bring about, and of nothing else."""
    is_worse = upstream.state is HealthState.DEGRADED and dependant.state not in WELL
    return is_worse and dependant.failure in BRINGS_ABOUT.get(upstream.failure, ())


def _unless_told_elsewhere(findings: Sequence[Finding]) -> Sequence[Finding]:
    """What another node answers for is told here only where it explains something."""
    blamed = {cause for finding in findings for cause in finding.because_of}
    return [
        msgspec.structs.replace(finding, state=HealthState.HEALTHY)
        if finding.elsewhere and finding.state not in WELL and not finding.because_of and finding.name not in blamed
        else finding
        for finding in findings
    ]


def _listed(names: Sequence[str]) -> str:
    words = [spoken(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def spoken(name: str) -> str:
    """Return a part's name as it stands in a sentence."""
    return SPOKEN.get(name) or name.replace("_", " ")


def as_sentence(said: str) -> str:
    """Begin with a capital, unless the first word is a name such as `desk/practice`, which keeps its letters."""
    return said if "/" in said.split(" ", 1)[0] else said[:1].upper() + said[1:]


def _told(cause: Finding) -> str:
    return f"{spoken(cause.name)} is {cause.state.value}: {cause.reason or 'no reason given'}"
