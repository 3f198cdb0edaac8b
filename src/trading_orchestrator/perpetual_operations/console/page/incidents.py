"""Incidents on the page: what broke, on which node, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag
from trading_orchestrator.perpetual_operations.console.page.words import badge, moment
from trading_orchestrator.perpetual_operations.incidents.incident import Incident


def incident_list(incidents: Sequence[Incident], now_ns: int | None) -> Html:
    """Return the incidents as lines, open ones first."""
    if not incidents:
        return tag("p", "None yet.", class_="empty")
    ordered = sorted(incidents, key=lambda one: (one.is_over, -one.opened_ns))
    return tag("ul", [_incident(one, now_ns) for one in ordered], class_="lines")


def incident_table(incidents: Sequence[Incident], part: str) -> Html:
    """Return a page's table, those that changed last first, each with the way to its report."""
    heading = tag("h1", f"Incidents of {part}" if part else "Incidents")
    if not incidents:
        return join((heading, tag("p", "None yet.", class_="empty")))
    columns = (("opened", ""), ("state", ""), ("part", ""), ("node", "minor"), ("reason", ""), ("report", ""))
    head = tag("tr", [tag("th", name, scope="col", class_=kind or None) for name, kind in columns])
    rows = [
        tag(
            "tr",
            tag("td", f"{datetime.fromtimestamp(one.opened_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"),
            tag("td", badge(_state(one))),
            tag("td", one.part),
            tag("td", one.node, class_="minor"),
            tag("td", one.reason),
            tag("td", _report(one)),
        )
        for one in incidents
    ]
    return join(
        (heading, tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="stacked"), class_="scroll"))
    )


def _report(one: Incident) -> Html:
    return tag("a", "report", href=f"incidents/{quote(one.incident_id, safe='')}")


def _incident(one: Incident, now_ns: int | None) -> Html:
    return tag(
        "li",
        tag("span", tag("b", one.part), " ", badge(_state(one)), " ", one.reason),
        tag(
            "span",
            f"node {one.node or 'none at present'} · since ",
            moment(one.opened_ns, now_ns),
            _ended(one),
            " · ",
            _report(one),
            class_="note",
        ),
    )


def _state(one: Incident) -> str:
    return {"open": "being repaired", "exhausted": "needs a person", "merged": "explained"}.get(one.state, "over")


def _ended(one: Incident) -> str:
    if one.state == "resolved" and not one.is_proved:
        return f" · ended without proof: {one.proof}"
    if one.recovered_after_s is None:
        done = [step.action.replace("_", " ") for step in one.steps if step.outcome != "skipped"]
        return f" · tried {', '.join(dict.fromkeys(done))}" if done else ""
    by = f", by {one.ended_by.replace('_', ' ')}" if one.ended_by else ", by itself"
    return f" · over after {one.recovered_after_s:.1f} s{by}"
