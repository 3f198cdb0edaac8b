"""The written report of an incident, in Markdown: what happened, what it cost, what was done, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trading_orchestrator.perpetual_operations.incidents.incident import Incident


def report(incident: Incident, impact: Sequence[str]) -> str:
    """Return the report; of an open incident, as far as it is known.

    Args:
        impact: sentences on orders and money, from whoever can read them in the journal.
    """
    lines = [
        f"# {incident.part}: {incident.failure}",
        "",
        f"Incident `{incident.incident_id}` {_where(incident)}. {_state(incident)}",
        "",
        "## What happened",
        f"At {_time(incident.opened_ns)} {incident.part} was found in trouble: {incident.reason or 'no reason given'}.",
    ]
    if incident.affected:
        lines.append(f"Affected with it: {', '.join(incident.affected)}.")
    lines += ["", "## Impact on orders and money", *(f"- {sentence}" for sentence in impact)]
    if not impact:
        lines.append("Nobody here could tell: no part of the program reports what its orders and money were doing.")
    lines += ["", "## Detection and recovery", "| what | seconds |", "|---|---|"]
    lines.append(f"| last read well → detected | {_seconds(incident.detected_after_s)} |")
    lines.append(f"| detected → proved well | {_seconds(incident.recovered_after_s)} |")
    lines += ["", "## Steps taken"]
    if incident.steps:
        lines += ["| step | attempt | outcome | took | said |", "|---|---|---|---|---|"]
        lines += [
            f"| {step.action} | {step.attempt} | {step.outcome} | {step.took_ms:.0f} ms | {_cell(step.said)} |"
            for step in incident.steps
        ]
    else:
        lines.append("None.")
    lines += [
        "",
        "## Evidence",
        f"Proof of the end: {incident.proof or 'none yet'}.",
        "",
        "| time (UTC) | |",
        "|---|---|",
    ]
    lines += [f"| {_time(entry.at_ns)} | {_cell(entry.what)} |" for entry in incident.timeline]
    lines += ["", "Every line is a fact of the stream `ops/incidents`: `journal tail --stream ops/incidents`."]
    return "\n".join(lines) + "\n"


def _where(incident: Incident) -> str:
    return f"on node `{incident.node}`" if incident.node else "of no node at present"


def _state(incident: Incident) -> str:
    if incident.same_cause_as:
        return f"Another node saw the same failure first: incident `{incident.same_cause_as}` stands for both."
    match incident.state:
        case "resolved" if not incident.is_proved:
            return f"Ended without proof at {_time(incident.ended_ns)}."
        case "resolved":
            by = f"by `{incident.ended_by}`" if incident.ended_by else "by itself"
            return f"Over since {_time(incident.ended_ns)}, recovered {by}."
        case "merged":
            return f"It was a symptom of incident `{incident.merged_into}`."
        case "exhausted":
            return "No step helped: a person is needed."
    return "Still open."


def _time(at_ns: int) -> str:
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ns // 1_000_000 % 1000:03d}"


def _seconds(seconds: float | None) -> str:
    return "not measured" if seconds is None else f"{seconds:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
