"""The journal: its tail by pages, and live."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.frames import HEADERS, MEDIA_TYPE, shown
from trading_orchestrator.perpetual_operations.console.pages import Before, Limit
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, page_is_off, problem
from trading_orchestrator.perpetual_operations.console.sources import Sources

Stream = Annotated[str | None, Query(max_length=200, description="e.g. `cluster` or `desk/practice`")]
LastEventId = Annotated[
    int | None, Header(ge=0, description="Resume behind this position; browsers send it themselves")
]
After = Annotated[int | None, Query(ge=0, description="Start behind this position; left out: from now on")]
View = Annotated[Literal["facts", "page"], Query(description="`facts` is the journal, `page` what the dashboard shows")]

TOO_MANY = "Too many live streams are open; close some, or ask again later."


def journal_routes(sources: Sources) -> APIRouter:
    """Return the routes /api/facts and /api/live."""
    router = APIRouter(tags=["journal"], responses=PROBLEMS)

    @router.get("/api/facts", summary="Facts, newest first")
    async def facts(stream: Stream = None, before: Before = None, limit: Limit = 100) -> Response:
        found = await sources.store.read_before(stream=stream, before_pos=before, limit=limit)
        following = found[-1].pos if len(found) == limit else None
        return json_answer({"facts": [shown(fact) for fact in found], "next": following})

    @router.get(
        "/api/live",
        summary="Facts as they are written (server-sent events; the event id is the position)",
        responses={200: {"content": {MEDIA_TYPE: {}}}},
    )
    async def live(last_event_id: LastEventId = None, after: After = None, view: View = "facts") -> Response:
        if sources.facts.viewers + sources.page.viewers >= sources.config.max_streams:
            return problem(503, TOO_MANY, "console.streams_full", {"retry-after": "5"})
        if view == "page" and (said := sources.page_off()):
            return page_is_off(said)
        resume = after if last_event_id is None else last_event_id
        stream = sources.page.stream() if view == "page" else sources.facts.stream(resume)
        return StreamingResponse(stream, headers=HEADERS, media_type=MEDIA_TYPE)

    return router
