"""/runbooks/NAME: what to do about an alert, for a browser; messages link here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse, Response

from trading_orchestrator.perpetual_operations.console.page.prose import prose, small_page
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, problem
from trading_orchestrator.perpetual_operations.console.runbook_files import runbook_text

HTML = "text/html; charset=utf-8"
Name = Annotated[str, Path(min_length=1, max_length=100, description="e.g. `disk-full`, with or without `.md`")]


def runbook_routes(version: str) -> APIRouter:
    """Return the route. A runbook is a small file: it is read when somebody asks."""
    router = APIRouter(tags=["alerts"], responses=PROBLEMS)

    @router.get("/runbooks/{name}", summary="A runbook, for a browser", response_class=HTMLResponse)
    def runbook(name: Name) -> Response:
        text = runbook_text(name.removesuffix(".md"))
        if text is None:
            return problem(404, f"No runbook is named {name}.", "runbook.unknown")
        title = text.partition("\n")[0].lstrip("# ")
        return Response(small_page(title, prose(text, links=True), up="../", version=version), media_type=HTML)

    return router
