"""The health of every node of a host as one report: each part is told by the node that answers for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trading_orchestrator.perpetual_operations.health.diagnosis import BAD_FIRST, WELL, as_sentence, worst
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.incidents.correlation import outlives_its_node

Told = tuple[HealthReport, PartHealth]


def answered(reports: Sequence[HealthReport]) -> Sequence[Told]:
    """Return every part with the report of each node that answers for it.

    What a node does not answer for at present (it stands by, or leaves the host to another) says nothing.
    """
    return [(report, part) for report in reports for part in report.parts if not part.elsewhere]


def merged(own: HealthReport, others: Sequence[HealthReport]) -> HealthReport:
    """Return one report: our own parts, each by the nodes that answer for it, then what only other nodes run.

    The verdict is our own while everybody is well; else it says who is not, the worst first, and what several nodes
    see is told once. A part that nobody answers for is shown as we see it.
    """
    by_name: dict[str, list[Told]] = {}
    for report, part in answered([own, *others]):
        by_name.setdefault(part.name, []).append((report, part))
    for part in own.parts:
        by_name.setdefault(part.name, [(own, part)])
    names = dict.fromkeys((*(part.name for part in own.parts), *by_name))
    unwell = sorted(_bad_news(own, others), key=lambda report: BAD_FIRST.index(report.state))
    return msgspec.structs.replace(
        own,
        state=worst([own.state, *(report.state for report in unwell)]),
        verdict=" ".join(_said(report, own, place) for place, report in enumerate(unwell)) or own.verdict,
        root_causes=tuple(dict.fromkeys(cause for report in (own, *others) for cause in report.root_causes)),
        parts=tuple(
            msgspec.structs.replace(part, node=report.node) for name in names for report, part in by_name[name]
        ),
    )


def _bad_news(own: HealthReport, others: Sequence[HealthReport]) -> Sequence[HealthReport]:
    """Return the reports that are unwell; another node's only if it has a cause that ours does not tell already."""
    known = {cause for cause in own.root_causes if outlives_its_node(cause)}
    news = [report for report in others if not known.issuperset(report.root_causes)]
    return [report for report in (own, *news) if report.state not in WELL]


def _said(report: HealthReport, own: HealthReport, place: int) -> str:
    if report is not own:
        return f"On node {report.node}: {report.verdict}"
    return as_sentence(report.verdict) if place else report.verdict
