"""A ladder: what is tried, in which order, when a part has failed; data, so that anybody can review and add one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest

Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class LadderRefused(Refused):
    """A ladder cannot be used as written. Facts: ladder, and step or key."""

    code = "recovery.ladder_refused"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rung.

    action: the name of a registered action, e.g. `restart_component`.
    deadline_s: the action has failed when it takes longer.
    proof_s: after the action the part must read well within this time; only that counts as success.
    tries: how often it is tried before the next rung.
    budget, budget_s: at most so many runs of this rung, for this part, in this time; above it the rung is skipped.
    cooldown_s: the least time between two runs of this rung for this part, beyond the tries of one climb.
    wait_s: before the first try: some failures end by themselves in less.
    """

    action: str
    deadline_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    proof_s: Seconds = 10.0
    tries: Annotated[int, Meta(ge=1, le=100)] = 1
    budget: Annotated[int, Meta(ge=1)] = 10
    budget_s: Annotated[float, Meta(gt=0)] = 3600.0
    cooldown_s: Seconds = 0.0
    wait_s: Seconds = 0.0


class Ladder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rungs for one class of failure.

    failure: the class, e.g. `database.locked`, as the reading of a probe names it.
    parts: patterns of part names (`broker/*`) whose failures of no class climb this ladder.
    degraded_too: whether a part that only reads degraded climbs; most ladders wait until it is down.
    steps: in order. None of them: somebody else repairs it, and only the incident is kept.
    pages_at_once: without steps, a person is told at once that only a person can help.
    outranks: classes that this one is worse than: a part that reads so while it climbs one of their ladders ends that
        climb and begins this one.
    again_s: when no rung helped a person is told, and the ladder begins again after this time.
    halts_safely: what the last resort of the ladder leaves behind, in one sentence for the operator.
    """

    failure: str
    parts: tuple[str, ...] = ()
    degraded_too: bool = False
    outranks: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    pages_at_once: bool = False
    again_s: Annotated[float, Meta(ge=1)] = 300.0
    halts_safely: str = ""

    def check(self, actions: Collection[str]) -> None:
        """Refuse a rung whose action nobody registered.

        Raises:
            LadderRefused: the sentence names ladder, rung and the nearest known action.
        """
        for number, step in enumerate(self.steps, 1):
            if step.action not in actions:
                raise LadderRefused(
                    f"ladder {self.failure!r}, step {number}: no action is named {step.action!r}; "
                    f"{nearest(step.action, [*actions])}",
                    ladder=self.failure,
                    step=number,
                )


class Ladders:
    """Which ladder a failure climbs: by its class first, then by the part's name, then by `otherwise`.

    A later ladder for the same class replaces the earlier one: a program's own word goes over the defaults.
    """

    def __init__(self, ladders: Sequence[Ladder], otherwise: Ladder) -> None:
        self.by_failure = {ladder.failure: ladder for ladder in ladders}
        self._otherwise = otherwise

    def add(self, ladder: Ladder) -> None:
        self.by_failure[ladder.failure] = ladder

    def of(self, part: str, failure: str) -> Ladder:
        """Return the ladder for a part that fails."""
        named = self.by_failure.get(failure)
        if named is not None:
            return named
        for ladder in reversed(self.by_failure.values()):
            if any(fnmatchcase(part, pattern) for pattern in ladder.parts):
                return ladder
        return self._otherwise

    def is_worse(self, failure: str, than: str) -> bool:
        """Return whether a failure of a class is worse than one of another, by what its ladder says."""
        named = self.by_failure.get(failure)
        return named is not None and than in named.outranks

    @property
    def longest_s(self) -> float:
        """Return how far back a budget or a cooldown of any rung looks."""
        ladders = (*self.by_failure.values(), self._otherwise)
        return max((max(step.budget_s, step.cooldown_s) for one in ladders for step in one.steps), default=0.0)

    def check(self, actions: Collection[str]) -> None:
        """Refuse a rung whose action nobody registered.

        Raises:
            LadderRefused: the sentence names ladder, rung and the nearest known action.
        """
        for ladder in (*self.by_failure.values(), self._otherwise):
            ladder.check(actions)
