"""/api/circuits, /api/pools and /api/features: what an operator may see and move by hand on this node."""

from __future__ import annotations

from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.bodies import body_of, read_json
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.features import Features, switch
from trading_orchestrator.perpetual_operations.recovery.repairs import Repairs
from trading_orchestrator.storage.ports import FactStore


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who decides, and why."""

    by: str
    reason: str


class SwitchSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who switches a feature, which way, and why."""

    on: bool
    by: str
    reason: str


def switch_routes(repairs: Repairs, features: Features, *, store: FactStore, clock: Clock, node: str) -> APIRouter:
    """Return the routes. Switching a feature reaches every node; a circuit is this node's own."""
    router = APIRouter(tags=["recovery"], responses=PROBLEMS)

    @router.get("/api/circuits", summary="Every circuit breaker of this node")
    async def circuits() -> Response:
        return json_answer({"node": node, "circuits": repairs.circuits.statuses()})

    @router.post(
        "/api/circuits/{name:path}/{what}", summary="Open or close a circuit by hand", openapi_extra=body_of(Said)
    )
    async def move_circuit(name: str, what: Literal["open", "close"], request: Request) -> Response:
        said = await read_json(request, Said)
        if not said.by.strip() or not said.reason.strip():
            raise Refused("a circuit is moved by a named person with a reason: expected both, was empty")
        circuit = repairs.circuits.of(name)
        (circuit.open if what == "open" else circuit.close)(by=said.by, reason=said.reason)
        return json_answer({"circuit": name, "state": circuit.state.value})

    @router.get("/api/pools", summary="Every connection pool of this node: bounds, waits, leaks")
    async def pools() -> Response:
        return json_answer({"node": node, "pools": repairs.pools.statuses()})

    @router.get("/api/features", summary="Every feature and its switch, on this node")
    async def show_features() -> Response:
        return json_answer({"node": node, "features": features.statuses()})

    @router.post(
        "/api/features/{name}",
        summary="Switch a feature on every node, with name and reason",
        openapi_extra=body_of(SwitchSaid),
    )
    async def switch_feature(name: str, request: Request) -> Response:
        said = await read_json(request, SwitchSaid)
        features.check(name)
        await switch(store, name, said.on, by=said.by, reason=said.reason, node=node, at_ns=clock.wall_ns())
        await features.follow()
        return json_answer({"features": features.statuses()})

    return router
