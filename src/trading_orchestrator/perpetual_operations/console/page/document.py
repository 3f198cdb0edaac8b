"""The page around the sections: complete without JavaScript, live with it."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.console.overview import Overview
from trading_orchestrator.perpetual_operations.console.page.html import Html, tag
from trading_orchestrator.perpetual_operations.console.page.sections import render
from trading_orchestrator.perpetual_operations.console.page.words import moment

Columns = tuple[tuple[str, str], ...]
ORDER_COLUMNS: Columns = (
    ("placed", ""), ("status", ""), ("side", ""), ("filled / asked", "n"), ("price", "n least"), ("order", "minor"),
)  # fmt: skip
FILL_COLUMNS: Columns = (
    ("traded", ""), ("side", ""), ("quantity", "n"), ("price", "n"), ("fee", "n minor"), ("trade", "minor"),
)  # fmt: skip


def document(overview: Overview, *, version: str) -> bytes:
    """Return the whole page with the overview in it."""
    parts = render(overview, relative_to_ns=overview.at_ns)
    trades = bool(overview.nodes or overview.desks or overview.orders)  # not within a program that only operates
    body = tag(
        "body",
        tag("a", "Skip to the verdict", class_="skip", href="#verdict"),
        _top(overview),
        tag(
            "main",
            tag(
                "section",
                parts["verdict"],
                id="verdict",
                class_="verdict",
                aria_live="polite",
                aria_label="Verdict",
                tabindex="-1",
                data_part="verdict",
            ),
            tag(
                "section",
                parts["alerts"],
                class_="alerts wide",
                aria_live="assertive",
                aria_label="Alerts",
                data_part="alerts",
            ),
            _card("Desks", "desks", parts["desks"], "wide") if trades else None,
            _card("Nodes", "nodes", parts["nodes"]),
            _card("Leases", "leases", parts["leases"]),
            _table("Last orders", "orders", ORDER_COLUMNS, parts["orders"]) if trades else None,
            _table("Last fills", "fills", FILL_COLUMNS, parts["fills"]) if trades else None,
            _card("Health", "health", parts["health"], "wide"),
            _card("Journal and host", "system", parts["system"], "wide"),
            _card("Incidents", "incidents", parts["incidents"], "wide"),
            _card("Last hour", "hour", parts["hour"], "wide"),
        ),
        _bottom(version),
    )
    return b"<!doctype html>\n" + tag("html", _head(), body, lang="en").encode()


def _head() -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Trading orchestrator"),
        tag("link", rel="icon", href="dashboard/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="dashboard/static/dashboard.css"),
        tag("script", src="dashboard/static/dashboard.js", defer=True),
    )


def _top(overview: Overview) -> Html:
    return tag(
        "header",
        tag("h1", tag("img", src="dashboard/static/icon.svg", alt="", width="24", height="24"), "Trading orchestrator"),
        tag(
            "p",
            tag("span", "snapshot of ", moment(overview.at_ns), id="stream-says"),
            tag("button", "Pause", id="pause", type="button", aria_pressed="false", hidden=True),
            id="stream",
            class_="snapshot",
            role="status",
        ),
        class_="top",
    )


def _bottom(version: str) -> Html:
    return tag(
        "footer",
        "All times are UTC. ",
        tag("a", "API", href="api/docs"),
        " · ",
        tag("a", "Metrics", href="metrics"),
        f" · version {version}",
    )


def _card(title: str, name: str, content: Html, more_class: str = "") -> Html:
    heading = tag("h2", title, id=f"{name}-title")
    return tag(
        "section",
        heading,
        tag("div", content, data_part=name),
        class_=f"card {more_class}".strip(),
        aria_labelledby=f"{name}-title",
    )


def _table(title: str, name: str, columns: Columns, rows: Html) -> Html:
    """The scrolling frame takes the focus, so that a keyboard can scroll it; updates replace only what is inside."""
    head = tag("thead", tag("tr", [tag("th", name, scope="col", class_=kind or None) for name, kind in columns]))
    table = tag("table", head, tag("tbody", rows, data_part=name), aria_labelledby=f"{name}-title")
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        tag("div", table, class_="scroll", tabindex="0", role="group", aria_labelledby=f"{name}-title"),
        class_="card wide",
    )
