"""/api/alerts, who is called: snooze, escalate, maintenance, who is on call and who stands in."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import new_id
from trading_orchestrator.perpetual_operations.alerts.duty import StandIn
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.bodies import body_of, read_json
from trading_orchestrator.perpetual_operations.console.said_by import By, checked_by

Runtime = Callable[[], AlertsRuntime]


class SnoozeSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long nobody is called about it, who wants so and why."""

    for_s: float
    by: str
    note: str = ""


class EscalateSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who wants the next rung, and why."""

    by: str
    note: str = ""


class MaintenanceSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long no rung is climbed, who wants so and why."""

    for_s: float
    by: str
    reason: str


class StandInSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is on call besides, or instead of another, from when (now) until when, or for how long.

    Times are by the clock of the schedule unless they name an offset.
    """

    schedule: str
    by: str
    person: str = ""
    instead_of: str = ""
    reason: str = ""
    from_: str = msgspec.field(default="", name="from")
    until: str = ""
    for_s: float | None = None


def add_ladder_routes(router: APIRouter, runtime: Runtime, clock: Clock) -> None:
    """Add them to the routes about alerts."""
    _answers(router, runtime)
    _maintenance(router, runtime)
    _on_call(router, runtime, clock)


def _answers(router: APIRouter, runtime: Runtime) -> None:
    @router.post(
        "/api/alerts/{fingerprint}/snooze",
        summary="Call nobody about it for a while; then begin anew",
        openapi_extra=body_of(SnoozeSaid),
    )
    async def snooze(fingerprint: str, request: Request) -> Response:
        said = checked_by(await read_json(request, SnoozeSaid))
        await runtime().manager.snooze(fingerprint, by=said.by, for_s=said.for_s, note=said.note)
        return json_answer({"fingerprint": fingerprint, "snoozed_by": said.by, "for_s": said.for_s})

    @router.post(
        "/api/alerts/{fingerprint}/escalate",
        summary="Call the next rung now; nobody has it any more",
        openapi_extra=body_of(EscalateSaid),
    )
    async def escalate(fingerprint: str, request: Request) -> Response:
        said = checked_by(await read_json(request, EscalateSaid))
        await runtime().manager.escalate(fingerprint, by=said.by, note=said.note)
        return json_answer({"fingerprint": fingerprint, "escalated_by": said.by})


def _maintenance(router: APIRouter, runtime: Runtime) -> None:
    @router.get("/api/alerts/maintenance", summary="The maintenance in which no rung is climbed, or null")
    async def shown() -> Response:
        return json_answer({"maintenance": runtime().manager.duty.maintenance()})

    @router.post(
        "/api/alerts/maintenance",
        summary="Climb no rung for a while; change how long",
        openapi_extra=body_of(MaintenanceSaid),
    )
    async def begin(request: Request) -> Response:
        said = await read_json(request, MaintenanceSaid)
        duty = runtime().manager.duty
        await duty.begin_maintenance(for_s=said.for_s, by=said.by, reason=said.reason)
        return json_answer({"maintenance": duty.maintenance()})

    @router.post("/api/alerts/maintenance/end", summary="Climb again", openapi_extra=body_of(By))
    async def end(request: Request) -> Response:
        said = await read_json(request, By)
        await runtime().manager.duty.end_maintenance(by=said.by)
        return json_answer({"maintenance": None})


def _on_call(router: APIRouter, runtime: Runtime, clock: Clock) -> None:
    @router.get("/api/alerts/on-call", summary="Who is on call now, until when, who is next, and who stands in")
    async def on_call() -> Response:
        duty = runtime().manager.duty
        return json_answer({"schedules": duty.on_call(), "overrides": duty.overrides()})

    @router.post(
        "/api/alerts/on-call/overrides",
        summary="Put somebody on call, besides or instead of another",
        openapi_extra=body_of(StandInSaid),
    )
    async def stand_in(request: Request) -> Response:
        said = await read_json(request, StandInSaid)
        wanted = StandIn(override_id=new_id(clock.wall_ns()), **msgspec.structs.asdict(said))
        return json_answer({"override": await runtime().manager.duty.stand_in(wanted)})

    @router.post(
        "/api/alerts/on-call/overrides/{override_id}/end", summary="Take an override back", openapi_extra=body_of(By)
    )
    async def end_stand_in(override_id: str, request: Request) -> Response:
        said = await read_json(request, By)
        await runtime().manager.duty.end_stand_in(override_id, by=said.by)
        return json_answer({"override_id": override_id})
