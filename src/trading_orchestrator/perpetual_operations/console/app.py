"""The console as one ASGI app: the same in a node of ours and inside somebody else's program."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from trading_orchestrator.perpetual_operations.console.edge import Edge
from trading_orchestrator.perpetual_operations.console.problems import answer_with_problems
from trading_orchestrator.perpetual_operations.console.query_keys import refuse_unknown_keys
from trading_orchestrator.perpetual_operations.console.routes.dashboard import dashboard_routes
from trading_orchestrator.perpetual_operations.console.routes.docs import docs_routes
from trading_orchestrator.perpetual_operations.console.routes.journal import journal_routes
from trading_orchestrator.perpetual_operations.console.routes.runbooks import runbook_routes
from trading_orchestrator.perpetual_operations.console.routes.trading import trading_routes
from trading_orchestrator.perpetual_operations.console.routes.watching import watching_routes
from trading_orchestrator.perpetual_operations.console.sources import Sources

ABOUT = (
    "Everything here is read from the journal. Lists are newest first; `next` is the `before` of the page behind. "
    "A key that a route does not know is refused. "
    "Errors are problem objects (RFC 9457) with a sentence that says what to do and a stable `code`."
)


def build_app(sources: Sources, more: Sequence[APIRouter] = ()) -> FastAPI:
    """Return the app. FastAPI's own documentation pages are off: they load scripts from another host.

    Args:
        more: routes of other parts of the program, served and described like ours.
    """
    app = FastAPI(
        title="Trading orchestrator",
        description=ABOUT,
        version=sources.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    for router in (
        dashboard_routes(sources),
        trading_routes(sources),
        journal_routes(sources),
        watching_routes(sources),
        runbook_routes(sources.version),
        *more,
        docs_routes(app),
    ):
        app.router.routes.extend(router.routes)  # flat: an included router is matched twice per request
    for route in app.router.routes:
        refuse_unknown_keys(route)
    answer_with_problems(app)
    app.add_middleware(
        Edge,
        traffic=sources.traffic,
        hosts=frozenset(host.lower() for host in sources.config.allowed_hosts),
        count=sources.metrics.count_answer,
        now_ns=sources.clock.monotonic_ns,
    )
    return app
