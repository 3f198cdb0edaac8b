"""The API reference as one page, rendered from the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.console.page.html import Html, tag

METHODS = ("get", "post", "put", "patch", "delete")
Description = Mapping[str, Any]


def reference(openapi: Description, base_url: str) -> bytes:
    """Return the page: every route with its parameters and a command to try it."""
    by_tag: dict[str, list[Html]] = {}
    for path, methods in openapi["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(
                    _route(method, path, operation, base_url)
                )
    info = openapi["info"]
    title = f"{info['title']}: API"
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", tag("img", src="../dashboard/static/icon.svg", alt="", width="24", height="24"), title),
            tag(
                "p",
                tag("a", "Dashboard", href="../dashboard"),
                " · ",
                tag("a", "OpenAPI", href="openapi.json"),
                id="stream",
            ),
            class_="top",
        ),
        tag(
            "main",
            tag("p", _prose(info.get("description", "")), class_="lead"),
            tag("nav", [(tag("a", name.capitalize(), href=f"#{name}"), " ") for name in by_tag], aria_label="Groups"),
            [_group(name, routes) for name, routes in by_tag.items()],
            class_="reference",
        ),
        tag("footer", f"version {info['version']}"),
    )
    return b"<!doctype html>\n" + tag("html", _head(title), body, lang="en").encode()


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="../dashboard/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="../dashboard/static/dashboard.css"),
    )


def _group(name: str, routes: list[Html]) -> Html:
    return tag("section", tag("h2", name.capitalize(), id=name), routes, class_="card wide", aria_labelledby=name)


def _route(method: str, path: str, operation: Description, base_url: str) -> Html:
    parameters = operation.get("parameters", ())
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return tag(
        "article",
        tag("h3", tag("span", method.upper(), class_="badge calm"), " ", tag("code", path)),
        tag("p", operation.get("summary", ""), class_="note"),
        tag("dl", [_parameter(one) for one in (*parameters, *_keys(sent))], class_="parameters")
        if parameters or sent
        else None,
        tag("pre", tag("code", _command(method, f"{base_url}{path}", sent)), tabindex="0"),
        _example(operation),
        class_="route",
    )


def _keys(sent: Description) -> list[Description]:
    """The keys of a body, or of each of its items, described as parameters are."""
    sent = sent.get("items", sent)
    needed = sent.get("required", ())
    return [
        {"name": name, "in": "body" if name in needed else "body, optional", "schema": schema}
        for name, schema in sent.get("properties", {}).items()
    ]


def _command(method: str, url: str, sent: Description) -> str:
    """Return a line for a shell; what stands in braces or dots is for the reader to fill in."""
    how = "-N " if url.endswith("/live") else "" if method == "get" else f"-X {method.upper()} "
    if not sent:
        return f"curl -s {how}{url}"
    body = _filler(sent)
    return f"curl -s {how}{url} -H 'content-type: application/json' -d '{msgspec.json.encode(body).decode()}'"


def _filler(schema: Description) -> object:
    if "items" in schema:
        return [_filler(schema["items"])]
    if "properties" in schema:
        return {name: _filler(schema["properties"][name]) for name in schema.get("required", ())}
    fillers: Mapping[str, object] = {"number": 3600, "boolean": True, "object": {"…": "…"}}
    return fillers.get(schema.get("type", ""), "…")


def _example(operation: Description) -> Html | None:
    answer = operation.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
    if "example" not in answer:
        return None
    return tag(
        "pre", tag("code", msgspec.json.format(msgspec.json.encode(answer["example"]), indent=2).decode()), tabindex="0"
    )


def _parameter(parameter: Description) -> Html:
    schema = parameter.get("schema", {})
    default = f", {schema['default']} if left out" if schema.get("default") not in (None, "", []) else ""
    where = "" if parameter["in"] == "query" else f" ({parameter['in']})"
    return tag(
        "div",
        tag("dt", tag("code", parameter["name"]), where),
        tag("dd", _prose(f"{_kind(schema)}{default}. {parameter.get('description', '')}")),
    )


def _prose(text: str) -> list[object]:
    """Words between backticks are code."""
    return [tag("code", part) if index % 2 else part for index, part in enumerate(text.split("`"))]


def _kind(schema: Description) -> str:
    if "anyOf" in schema:
        return next((_kind(one) for one in schema["anyOf"] if one.get("type") != "null"), "any")
    if "enum" in schema:
        return " or ".join(str(one) for one in schema["enum"])
    least, most = schema.get("minimum"), schema.get("maximum")
    limits = f" from {least}" if least is not None else ""
    return f"{schema.get('type', 'any')}{limits}{f' to {most}' if most is not None else ''}"
