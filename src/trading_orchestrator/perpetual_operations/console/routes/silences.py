"""/api/alerts/silences: who keeps what quiet, why, and what ends it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import new_id
from trading_orchestrator.perpetual_operations.alerts.answering import span_ns
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.perpetual_operations.alerts.silence import ENDLESS_NS, Silence
from trading_orchestrator.perpetual_operations.alerts.time_intervals import TimeIntervalConfig
from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.bodies import body_of, read_json
from trading_orchestrator.perpetual_operations.console.problems import problem
from trading_orchestrator.perpetual_operations.console.said_by import By, checked_by

Runtime = Callable[[], AlertsRuntime]


class SilenceSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A silence: what, who, why, and what ends it: at least one of the three.

    for_s: for so long, at most 366 days. until_resolved: with the last alert that it covers. unused_for_s: when it has
    covered nothing for so long. times: recurring windows in which alone it acts, in Alertmanager's words.
    """

    matchers: tuple[str, ...]
    by: str
    reason: str
    for_s: float | None = None
    until_resolved: bool = False
    unused_for_s: float | None = None
    times: tuple[TimeIntervalConfig, ...] = ()


def add_silence_routes(router: APIRouter, runtime: Runtime, clock: Clock) -> None:
    """Add what is asked and said of silences."""

    @router.get("/api/alerts/silences", summary="Silences, expired ones for five days")
    async def silences() -> Response:
        manager = runtime().manager
        wall_ns = manager.wall_ns()
        found = [_shown(one, manager.engine, wall_ns) for one in manager.state.silences.values()]
        return json_answer({"silences": found})

    @router.post(
        "/api/alerts/silences", summary="Keep alerts quiet, with owner and reason", openapi_extra=body_of(SilenceSaid)
    )
    async def silence(request: Request) -> Response:
        said = checked_by(await read_json(request, SilenceSaid))
        manager = runtime().manager
        one = _silence(said, new_id(clock.wall_ns()), manager.wall_ns())
        await manager.set_silence(one)
        return json_answer({"silence_id": one.silence_id})

    @router.post("/api/alerts/silences/{silence_id}/expire", summary="End a silence now", openapi_extra=body_of(By))
    async def expire(silence_id: str, request: Request) -> Response:
        await read_json(request, By)
        manager = runtime().manager
        if silence_id not in manager.state.silences:
            return problem(404, f"No silence has the id {silence_id!r}.", "alerts.silence_refused")
        await manager.expire_silence(silence_id)
        return json_answer({"silence_id": silence_id})


def _silence(said: SilenceSaid, silence_id: str, now_ns: int) -> Silence:
    return Silence(
        silence_id=silence_id,
        matchers=said.matchers,
        starts_at_ns=now_ns,
        ends_at_ns=ENDLESS_NS if said.for_s is None else now_ns + span_ns(said.for_s),
        created_by=said.by,
        comment=said.reason,
        until_resolved=said.until_resolved,
        times=said.times,
        unused_for_s=said.unused_for_s,
    )


def _shown(one: Silence, engine: Engine, now_ns: int) -> dict[str, object]:
    """`ends_at_ns` None: no time ends it. `active`: whether it acts now, its windows included."""
    return {
        **msgspec.to_builtins(one),
        "ends_at_ns": None if one.is_endless else one.ends_at_ns,
        "active": bool(engine.silencer.acting([one], now_ns)),
        "used_at_ns": engine.state.used_ns.get(one.silence_id),
    }
