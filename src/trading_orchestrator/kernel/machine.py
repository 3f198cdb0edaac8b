"""State machines as tables: reviewed as data, drawn from data, read by one function."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Generic, TypeVar

from trading_orchestrator.errors import Broken

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class NoSuchTransition(Broken):
    """The table has no row for this state and event."""

    code = "machine.no_such_transition"


@dataclass(frozen=True)
class Row(Generic[S, E]):
    """In state `at`, event `on` leads to `to`; `why` explains what is not obvious."""

    at: S
    on: E
    to: S
    why: str = ""


@dataclass(frozen=True)
class Machine(Generic[S, E]):
    """A named table. Two rows for one (state, event) are refused when it is built."""

    name: str
    start: S
    rows: tuple[Row[S, E], ...]
    terminal: frozenset[S] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        seen: set[tuple[S, E]] = set()
        for row in self.rows:
            if (row.at, row.on) in seen:
                raise Broken(f"machine {self.name}: two rows for {row.at.name} on {row.on.name}")
            seen.add((row.at, row.on))

    @cached_property
    def _next(self) -> dict[tuple[S, E], S]:
        return {(row.at, row.on): row.to for row in self.rows}

    def allows(self, at: S, on: E) -> bool:
        """Return whether the table has a row for this state and event."""
        return (at, on) in self._next

    def step(self, at: S, on: E) -> S:
        """Return the next state.

        Raises:
            NoSuchTransition: the table has no such row; the caller met something impossible.
        """
        try:
            return self._next[at, on]
        except KeyError:
            raise NoSuchTransition(
                f"machine {self.name}: expected one of {self._events_at(at)} in {at.name}, was {on.name}",
                machine=self.name,
                at=at.name,
                on=on.name,
            ) from None

    def _events_at(self, at: S) -> list[str]:
        return sorted(row.on.name for row in self.rows if row.at is at)

    def mermaid(self) -> str:
        """Return the table as a Mermaid state diagram, for the docs."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start.name}"]
        lines += [f"    {row.at.name} --> {row.to.name}: {row.on.name}" for row in self.rows]
        lines += [f"    {state.name} --> [*]" for state in sorted(self.terminal, key=lambda state: state.name)]
        return "\n".join(lines)
