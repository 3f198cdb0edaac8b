"""Who is down because of whom: a pure function over readings and the dependency graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_orchestrator.kernel.component import Health, HealthState

WELL = frozenset({HealthState.HEALTHY, HealthState.STARTING})
DOWN = frozenset({HealthState.UNHEALTHY, HealthState.UNKNOWN, HealthState.STOPPED})
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

    A dependant that reads healthy while something below it is down is degraded: its reading is old or lucky.
    """
    return [_finding(name, health, _causes(name, readings, depends_on)) for name, health in readings.items()]


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
    return f"All well: {_listed([finding.name for finding in findings])}."


def _finding(name: str, health: Health, causes: tuple[str, ...]) -> Finding:
    if not causes:
        return Finding(name, health.state, health.reason, failure=health.failure, elsewhere=health.elsewhere)
    state = HealthState.DEGRADED if health.state in WELL else health.state
    return Finding(name, state, health.reason, causes, health.failure, health.elsewhere)


def _causes(name: str, readings: Mapping[str, Health], depends_on: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Walk upstream; a part that is down and has nothing down below it is a cause."""
    found: dict[str, None] = {}
    todo, seen = list(depends_on.get(name, ())), {name}
    while todo:
        upstream = todo.pop(0)
        if upstream in seen or upstream not in readings:
            continue
        seen.add(upstream)
        below = depends_on.get(upstream, ())
        todo += below
        if readings[upstream].state in DOWN and not _any_down(below, readings, depends_on, set()):
            found[upstream] = None
    return tuple(found)


def _any_down(
    names: Sequence[str],
    readings: Mapping[str, Health],
    depends_on: Mapping[str, Sequence[str]],
    seen: set[str],
) -> bool:
    for name in names:
        if name in seen or name not in readings:
            continue
        seen.add(name)
        if readings[name].state in DOWN or _any_down(depends_on.get(name, ()), readings, depends_on, seen):
            return True
    return False


def _listed(names: Sequence[str]) -> str:
    words = [spoken(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def spoken(name: str) -> str:
    """Return a part's name as it stands in a sentence."""
    return "CPU" if name == "cpu" else name.replace("_", " ")


def as_sentence(said: str) -> str:
    """Begin with a capital, unless the first word is a name such as `desk/practice`, which keeps its letters."""
    return said if "/" in said.split(" ", 1)[0] else said[:1].upper() + said[1:]


def _told(cause: Finding) -> str:
    return f"{spoken(cause.name)} is {cause.state.value}: {cause.reason or 'no reason given'}"
