"""What fires, loud: the critical first, each with what to do and a button to take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag
from trading_orchestrator.perpetual_operations.console.page.words import moment

SHOWN = 20
RANK = {"critical": 0, "warning": 1}
TONE = {"critical": "bad", "warning": "warn"}
HIDDEN = ("alertname", "severity")
Row = Mapping[str, Any]


def alert_list(alerts: Sequence[Row], now_ns: int | None) -> Html:
    """Return the alerts, worst and longest first; those that are taken or kept quiet come last."""
    if not alerts:
        return join(())
    ordered = sorted(alerts, key=lambda one: (_is_quiet(one), RANK.get(one["severity"], 2), one["starts_at_ns"]))
    more = len(ordered) - SHOWN
    return join(
        (
            tag("ul", [_alert(one, now_ns) for one in ordered[:SHOWN]]),
            tag("p", f"and {more} more: ", tag("code", "trading-orchestrator alerts list"), class_="note")
            if more > 0
            else None,
        )
    )


def _alert(one: Row, now_ns: int | None) -> Html:
    annotations = one["annotations"]
    labels = " · ".join(f"{name} {value}" for name, value in one["labels"].items() if name not in HIDDEN)
    taken, snoozed = one["acknowledged"], one.get("snoozed")
    runbook = annotations.get("runbook")
    return tag(
        "li",
        tag(
            "div",
            tag("b", one["name"]),
            " ",
            tag("span", one["severity"] or "alert", class_=f"badge {TONE.get(one['severity'], 'calm')}"),
            " ",
            tag("span", annotations.get("summary", ""), class_="summary"),
            tag(
                "span",
                "since ",
                moment(one["starts_at_ns"], now_ns),
                f" · {labels}" if labels else "",
                (" · ", tag("a", "runbook", href=f"runbooks/{quote(runbook, safe='')}")) if runbook else None,
                f" · taken by {taken.by}" if taken else "",
                f" · snoozed by {snoozed.by}" if snoozed else "",
                f" · {_why_quiet(one)}" if _why_quiet(one) else "",
                class_="note",
            ),
        ),
        None
        if _is_quiet(one)
        else tag("button", "Take it", type="button", class_="take", data_acknowledge=one["fingerprint"]),
        id=f"alert-{one['fingerprint']}",
        class_=f"alert {'quiet' if _is_quiet(one) else TONE.get(one['severity'], 'calm')}",
    )


def _is_quiet(one: Row) -> bool:
    return bool(one["acknowledged"]) or one["state"] == "suppressed"


def _why_quiet(one: Row) -> str:
    if one["silenced_by"]:
        return "silenced"
    return "explained by another alert" if one["inhibited_by"] else ""
