"""The order in which parts start: what others depend on comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest


class DependencyUnknown(Refused):
    """A part depends on one that nobody registered. Facts: part, dependency."""

    code = "operations.dependency_unknown"


class DependencyCircle(Refused):
    """Parts depend on each other in a circle. Facts: circle."""

    code = "operations.dependency_circle"


def start_order(depends_on: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the names so that every part comes after what it depends on; stop in the reverse order.

    Raises:
        DependencyUnknown, DependencyCircle: the sentence names the parts to correct.
    """
    for part, dependencies in depends_on.items():
        for dependency in dependencies:
            if dependency not in depends_on:
                raise DependencyUnknown(
                    f"{part!r} depends on {dependency!r}, which is not registered; "
                    f"{nearest(dependency, [*depends_on])}",
                    part=part,
                    dependency=dependency,
                )
    try:
        return list(TopologicalSorter(depends_on).static_order())
    except CycleError as error:
        circle = error.args[1]
        raise DependencyCircle(f"parts depend on each other: {' → '.join(circle)}", circle=circle) from None
