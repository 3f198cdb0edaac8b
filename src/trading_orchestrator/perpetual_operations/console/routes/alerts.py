"""/api/alerts: what fires, what was sent, and what people say to it: acknowledge, resolve, silence, test, reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.attention import EPISODES, Episode, mean_times
from trading_orchestrator.perpetual_operations.alerts.channel_status import channel_statuses
from trading_orchestrator.perpetual_operations.alerts.history import HISTORY
from trading_orchestrator.perpetual_operations.alerts.route import Route
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.perpetual_operations.alerts.standing import shown_alerts
from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.bodies import body_of, read_json
from trading_orchestrator.perpetual_operations.console.pages import Before, Limit, next_of
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.console.routes.ladders import add_ladder_routes
from trading_orchestrator.perpetual_operations.console.routes.silences import add_silence_routes
from trading_orchestrator.perpetual_operations.console.said_by import By, checked_by
from trading_orchestrator.storage.ports import FactStore

EPISODES_COUNTED = 1000
Runtime = Callable[[], AlertsRuntime]


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes or ends it, and what that person has to say. `for_s`: how long it is taken; until its end without."""

    by: str
    note: str = ""
    for_s: float | None = None


class RouteTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The labels of an alert that may come."""

    labels: dict[str, str]


def alert_routes(runtime: Runtime, store: FactStore, clock: Clock) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["alerts"], responses=PROBLEMS)
    _reading(router, runtime, store)
    _attention(router, runtime)
    add_ladder_routes(router, runtime, clock)
    add_silence_routes(router, runtime, clock)
    _config(router, runtime)
    return router


def _reading(router: APIRouter, runtime: Runtime, store: FactStore) -> None:
    @router.get("/api/alerts", summary="What fires, the longest first, and mean times to acknowledge and to resolve")
    async def alerts() -> Response:
        manager = runtime().manager
        firing = shown_alerts(manager)
        rows = await store.rows(EPISODES, limit=EPISODES_COUNTED)
        means = mean_times([msgspec.json.decode(row.value, type=Episode) for row in rows])
        return json_answer({"alerts": firing, "mean_times": means, "maintenance": manager.duty.maintenance()})

    @router.get("/api/alerts/history", summary="What was sent to whom, when, and with which answer, newest first")
    async def history(before: Before = None, limit: Limit = 100) -> Response:
        return await _page(store, HISTORY, "messages", before, limit)

    @router.get("/api/alerts/episodes", summary="Alerts that are over: from when to when, and who took them")
    async def episodes(before: Before = None, limit: Limit = 100) -> Response:
        return await _page(store, EPISODES, "episodes", before, limit)

    @router.get("/api/alerts/rules", summary="The rules in use")
    async def rules() -> Response:
        return json_answer({"rules": runtime().plan.rules, "source": runtime().plan.source})


def _attention(router: APIRouter, runtime: Runtime) -> None:
    @router.post(
        "/api/alerts/{fingerprint}/acknowledge",
        summary="Take an alert until it ends, or for a while",
        openapi_extra=body_of(Taken),
    )
    async def acknowledge(fingerprint: str, request: Request) -> Response:
        said = checked_by(await read_json(request, Taken))
        await runtime().manager.acknowledge(fingerprint, by=said.by, note=said.note, for_s=said.for_s)
        return json_answer({"fingerprint": fingerprint, "acknowledged_by": said.by})

    @router.post(
        "/api/alerts/{fingerprint}/resolve",
        summary="End an alert; a source that still sees it tells it anew",
        openapi_extra=body_of(Taken),
    )
    async def resolve(fingerprint: str, request: Request) -> Response:
        said = checked_by(await read_json(request, Taken))
        manager = runtime().manager
        await manager.acknowledge(fingerprint, by=said.by, note=said.note or "resolved by hand")
        await manager.resolve(fingerprint)
        return json_answer({"fingerprint": fingerprint, "resolved_by": said.by})

    @router.post("/api/heartbeats/{monitor}", summary="A monitored program says that it lives")
    async def beat(monitor: str) -> Response:
        await runtime().beat(monitor)
        return json_answer({"monitor": monitor})


def _config(router: APIRouter, runtime: Runtime) -> None:
    @router.post(
        "/api/alerts/routes/test",
        summary="Who would hear of an alert with these labels",
        openapi_extra=body_of(RouteTest),
    )
    async def test_routes(request: Request) -> Response:
        said = await read_json(request, RouteTest)
        found = runtime().plan.policy.tree.match(said.labels)
        return json_answer({"receivers": [route.receiver for route in found], "routes": [_route(one) for one in found]})

    @router.get("/api/alerts/channels", summary="The channels: health, circuit, budget and last answer of each")
    async def channels() -> Response:
        alerts = runtime()
        return json_answer({"channels": channel_statuses(alerts.plan, alerts.board)})

    @router.post(
        "/api/alerts/channels/{channel}/test", summary="Send a test message by one channel", openapi_extra=body_of(By)
    )
    async def test_channel(channel: str, request: Request) -> Response:
        await read_json(request, By)
        return json_answer({"channel": channel, "answer": await runtime().board.test(channel)})

    @router.post(
        "/api/alerts/reload", summary="Read the config anew; a wrong one changes nothing", openapi_extra=body_of(By)
    )
    async def reload(request: Request) -> Response:
        said = await read_json(request, By)
        plan = await runtime().reload(said.by)
        return json_answer({"source": plan.source, "rules": len(plan.rules), "receivers": sorted(plan.receivers)})


async def _page(store: FactStore, projection: str, name: str, before: int | None, limit: int) -> Response:
    rows = await store.rows(projection, before_pos=before, limit=limit)
    values: Sequence[msgspec.Raw] = [msgspec.Raw(row.value) for row in rows]
    return json_answer({name: values, "next": next_of(rows, limit)})


def _route(route: Route) -> Mapping[str, object]:
    return {"receiver": route.receiver, "route": route.key, "group_by": sorted(route.group_by)}
