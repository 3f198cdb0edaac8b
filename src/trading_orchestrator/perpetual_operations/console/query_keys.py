"""A key in a question that no route knows is refused: a misspelt one would be answered as if it were not there."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.perpetual_operations.console.problems import problem

OURS, THEIRS = "/api/", "/api/v2/"  # Alertmanager ignores keys that it does not know


def refuse_unknown_keys(route: BaseRoute) -> None:
    """Let a route of our own API answer 422 to a key that it does not know."""
    if isinstance(route, APIRoute) and route.path.startswith(OURS) and not route.path.startswith(THEIRS):
        route.app = _refusing(route.app, [*_keys_of(route.dependant)])


def _keys_of(needs: Dependant) -> Iterator[str]:
    yield from (field.alias for field in needs.query_params)
    for one in needs.dependencies:
        yield from _keys_of(one)


def _refusing(app: ASGIApp, known: list[str]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        unknown = next((key for key, _ in asked if key not in known), None)
        if unknown is None:
            await app(scope, receive, send)
            return
        hint = nearest(unknown, known) if known else "it takes none"
        said = f"{unknown[:40]}: this route knows no such key; {hint}"
        await problem(422, said, "request.invalid")(scope, receive, send)

    return answer
