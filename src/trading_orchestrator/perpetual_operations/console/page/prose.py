"""Markdown as a page of the console: headings, lists, tables and code; HTML in the text stays text."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.console.page.html import Html, tag

LINKS = ("link", "autolink")


def prose(markdown: str, *, links: bool) -> Html:
    """Return the text as markup. Pictures are never loaded.

    Args:
        links: whether links become links: not in a text that holds what others said.
    """
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    if not links:
        reader.disable(list(LINKS))
    return Html(reader.render(markdown))


def small_page(title: str, content: Html, *, up: str = "", version: str = "") -> bytes:
    """Return a page of one card.

    Args:
        up: the way from the page's folder to the console's own, "" or "../".
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href=f"{up}dashboard/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=f"{up}dashboard/static/dashboard.css"),
    )
    top = tag(
        "header",
        tag("p", tag("a", "Dashboard", href=f"{up}dashboard"), " · ", tag("a", "Incidents", href=f"{up}incidents")),
        class_="top",
    )
    main = tag("main", tag("section", content, class_="card wide prose"))
    footer = tag("footer", "All times are UTC.", f" Version {version}." if version else "")
    return b"<!doctype html>\n" + tag("html", head, tag("body", top, main, footer), lang="en").encode()
