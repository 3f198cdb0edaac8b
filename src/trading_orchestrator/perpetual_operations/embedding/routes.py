"""Our routes beside a program's own: one route object that claims our paths and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, Mount, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from trading_orchestrator.errors import Refused

NOBODYS = ("/a-path-nobody-serves", "/a-path-nobody/serves-either")


class RoutesTaken(Refused):
    """The program answers one of our paths itself. Facts: path, route."""

    code = "operations.routes_taken"


class ConsoleRoute(BaseRoute):
    """Matches exactly the console's paths. First in line, so that a catch-all of the program does not hide them;
    every other request costs one regular expression.
    """

    def __init__(self, app: ASGIApp, paths: Sequence[str]) -> None:
        self._app = app
        self._ours = re.compile("|".join(f"(?:{_pattern(path)})" for path in paths))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and self._ours.fullmatch(_path_in(scope)) is not None
        return (Match.FULL, {}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Our routes have no names to the program."""
        raise NoMatchFound(name, path_params)


def mount(app: FastAPI, console: FastAPI, prefix: str) -> BaseRoute:
    """Put the console's routes into the app, at the root or under a prefix; return what was put there.

    Raises:
        RoutesTaken: nothing was mounted.
    """
    refuse_conflicts(app, console, prefix)
    route = Mount(prefix, console) if prefix else ConsoleRoute(console, _paths(console))
    app.router.routes.insert(0, route)
    return route


def refuse_conflicts(app: FastAPI, console: FastAPI, prefix: str, *, ours: BaseRoute | None = None) -> None:
    """Raise RoutesTaken if a route of the program, other than a catch-all, answers one of our paths."""
    paths = [prefix] if prefix else _paths(console)
    for route in app.router.routes:
        if route is ours or all(_answers(route, path) for path in NOBODYS):
            continue
        for path in paths:
            if _answers(route, re.sub(r"\{\w+(:path)?\}", "name", path)):
                raise RoutesTaken(
                    f"the app answers {path} itself ({_named(route)}): set perpetual_operations.console.path_prefix, "
                    'for example to "/ops", to mount the console elsewhere',
                    path=path,
                    route=_named(route),
                )


def _paths(console: FastAPI) -> list[str]:
    """Every path of the console but its root, which belongs to the program."""
    return [str(path) for route in console.routes if (path := getattr(route, "path", "/")) != "/"]


def _pattern(path: str) -> str:
    whole_paths = re.sub(r"\\{\w+:path\\}", ".+", re.escape(path))
    return re.sub(r"\\{\w+\\}", "[^/]+", whole_paths)


def _path_in(scope: Scope) -> str:
    """The path below whatever the program itself is mounted under."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _answers(route: BaseRoute, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "query_string": b""}
    match, _ = route.matches(scope)
    return match is Match.FULL


def _named(route: BaseRoute) -> str:
    return str(getattr(route, "path", None) or type(route).__name__)
