"""Errors of the API as problem objects (RFC 9457): a sentence that says what to do, and a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from trading_orchestrator.errors import Broken, OrchestratorError, Refused, Transient, Unknown

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[OrchestratorError], int], ...] = (
    (Transient, 503),
    (Unknown, 503),
    (Refused, 409),
    (Broken, 500),
)


class Problem(msgspec.Struct, frozen=True):
    """`title` is the status in words, `detail` one sentence for a human, `code` the key for machines."""

    status: int
    title: str
    detail: str
    code: str


def _described() -> dict[int | str, dict[str, Any]]:
    fields = {"status": "integer", "title": "string", "detail": "string", "code": "string"}
    schema = {
        "title": "Problem",
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }
    said = "A problem object: one sentence that says what to do, and a stable code"
    return {"default": {"description": said, "content": {MEDIA_TYPE: {"schema": schema}}}}


PROBLEMS = _described()


def problem(status: int, detail: str, code: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for one problem."""
    body = msgspec.json.encode(Problem(status, HTTPStatus(status).phrase, detail, code))
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, MEDIA_TYPE)


def page_is_off(said: str) -> Response:
    """Return the answer for the dashboard while somebody has switched it off."""
    told = f"The dashboard is switched off: {said}. `features on dashboard` brings it back; the API answers as ever."
    return problem(503, told, "console.page_off")


def of_error(error: OrchestratorError) -> Response:
    """Return the answer for an error of ours: its family decides the status."""
    status = next(status for family, status in _STATUS if isinstance(error, family))
    retry_s = getattr(error, "retry_after_s", None)
    headers = {"retry-after": str(max(1, round(retry_s)))} if retry_s is not None else None
    return problem(status, error.message, error.code, headers)


def answer_with_problems(app: FastAPI) -> None:
    """Let every error of this app leave as a problem object."""

    @app.exception_handler(OrchestratorError)
    async def ours(request: Request, error: OrchestratorError) -> Response:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(str(at) for at in one['loc'][1:])}: {one['msg']}" for one in error.errors())
        return problem(422, f"{told}. See {_root(request)}/api/docs.", "request.invalid")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        root = _root(request)
        if error.status_code == 404:
            detail = f"There is nothing at {request.url.path}. The routes are listed at {root}/api/docs."
            return problem(404, detail, "request.not_found")
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            detail = f"{request.method} is not possible here; {allowed or 'another method'} is."
            return problem(405, detail, "request.method", error.headers)
        return problem(error.status_code, str(error.detail), "request.refused", error.headers)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
