"""Alertmanager's API v2, so that amtool, Prometheus and Grafana talk to us as to their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import new_id
from trading_orchestrator.perpetual_operations.alerts import alertmanager_words as words
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.alertmanager_config import as_alertmanager_config
from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, all_match, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.rfc3339 import rfc3339
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.perpetual_operations.alerts.silence import SilenceRefused
from trading_orchestrator.perpetual_operations.alerts.standing import Standing, standing, standing_in_groups
from trading_orchestrator.perpetual_operations.console.answers import JSON, json_answer
from trading_orchestrator.perpetual_operations.console.bodies import BodyRefused, body_of

T = TypeVar("T")
POSTED_BYTES_MAX = 20_000_000
Filter = Annotated[list[str] | None, Query(description='Matchers such as `severity="critical"`')]
WRONG = {
    "description": "What is wrong, in one sentence",
    "content": {"application/json": {"schema": {"type": "string"}}},
}
Runtime = Callable[[], AlertsRuntime]


def alertmanager_routes(runtime: Runtime, clock: Clock, *, version: str) -> APIRouter:
    """Return the routes under /api/v2. Errors are JSON strings there, as its clients expect."""
    router = APIRouter(tags=["alertmanager"], responses={"default": WRONG})
    began_ns = clock.wall_ns()
    _alert_routes(router, runtime)
    _silence_routes(router, runtime, clock)

    @router.get("/api/v2/status", summary="Version, uptime and the routes as an Alertmanager config")
    async def status() -> Response:
        return json_answer(
            {
                "cluster": {"status": "disabled", "peers": []},
                "config": {"original": as_alertmanager_config(runtime().plan)},
                "uptime": rfc3339(began_ns),
                "versionInfo": {
                    "branch": "",
                    "buildDate": "",
                    "buildUser": "",
                    "goVersion": "",
                    "revision": "",
                    "version": f"trading-orchestrator {version}",
                },
            }
        )

    @router.get("/api/v2/receivers", summary="The names of all receivers")
    async def receivers() -> Response:
        return json_answer([{"name": name} for name in runtime().plan.receivers])

    return router


def _alert_routes(router: APIRouter, runtime: Runtime) -> None:
    @router.get("/api/v2/alerts", summary="Alerts that fire")
    async def alerts(
        filter: Filter = None,
        receiver: str = "",
        active: bool = True,
        silenced: bool = True,
        inhibited: bool = True,
        unprocessed: bool = True,
    ) -> Response:
        def found() -> Sequence[object]:
            wanted = _Wanted(filter, receiver, active, silenced, inhibited, unprocessed)
            return [words.alert_words(one) for one in standing(runtime().manager) if wanted(one)]

        return _said(found)

    @router.get("/api/v2/alerts/groups", summary="Alerts that fire, by group")
    async def groups(
        filter: Filter = None,
        receiver: str = "",
        active: bool = True,
        silenced: bool = True,
        inhibited: bool = True,
    ) -> Response:
        def found() -> Sequence[object]:
            wanted = _Wanted(filter, receiver, active, silenced, inhibited, True)
            shown = [
                msgspec.structs.replace(group, alerts=tuple(one for one in group.alerts if wanted(one)))
                for group in standing_in_groups(runtime().manager)
            ]
            return [words.group_words(group) for group in shown if group.alerts]

        return _said(found)

    @router.post(
        "/api/v2/alerts",
        summary="Take alerts in; durable before the answer",
        openapi_extra=body_of(list[words.PostedWords]),
    )
    async def post_alerts(request: Request) -> Response:
        try:
            posted = [words.posted(one) for one in await _body(request, list[words.PostedWords])]
            await runtime().manager.receive(posted)
        except OrchestratorError as error:
            return _error(error)
        return Response(status_code=200)


def _silence_routes(router: APIRouter, runtime: Runtime, clock: Clock) -> None:
    @router.get("/api/v2/silences", summary="Silences, expired ones for five days")
    async def silences(filter: Filter = None) -> Response:
        return _said(lambda: _silences(runtime().manager, words.filtered(filter or ())))

    @router.post("/api/v2/silences", summary="Set or change a silence", openapi_extra=body_of(words.SilenceWords))
    async def post_silence(request: Request) -> Response:
        try:
            said = await _body(request, words.SilenceWords)
            silence_id = await _set(runtime().manager, said, clock)
        except OrchestratorError as error:
            return _error(error)
        return json_answer({"silenceID": silence_id})

    @router.get("/api/v2/silence/{silence_id}", summary="One silence")
    async def silence(silence_id: str) -> Response:
        try:
            manager = runtime().manager
        except OrchestratorError as error:
            return _error(error)
        found = manager.state.silences.get(silence_id)
        if found is None:
            return Response(status_code=404)
        return json_answer(words.silence_words(found, manager.wall_ns()))

    @router.delete("/api/v2/silence/{silence_id}", summary="End a silence now")
    async def delete_silence(silence_id: str) -> Response:
        try:
            manager = runtime().manager
            if silence_id not in manager.state.silences:
                return Response(status_code=404)
            await manager.expire_silence(silence_id)
        except OrchestratorError as error:
            return _error(error)
        return Response(status_code=200)


def _silences(manager: AlertManager, wanted: Sequence[Matcher]) -> Sequence[object]:
    """A silence is listed when, for each filter, one of its matchers has that name and value."""
    now_ns = manager.wall_ns()
    shown = [words.silence_words(one, now_ns) for one in manager.state.silences.values()]
    parsed = [parse_matchers(one.matchers) for one in manager.state.silences.values()]
    labels = [{one.name: one.value for one in matchers} for matchers in parsed]
    return [each for each, about in zip(shown, labels, strict=True) if all_match(wanted, about)]


async def _set(manager: AlertManager, said: words.SilenceWords, clock: Clock) -> str:
    """Set or change it; what cannot be changed in place is set anew, and the old one ends (Alertmanager does so)."""
    old = manager.state.silences.get(said.id)
    silence = words.silence_of(said, said.id or new_id(clock.wall_ns()), old)
    if old is not None and rfc3339(old.starts_at_ns) == rfc3339(silence.starts_at_ns):
        silence = msgspec.structs.replace(silence, starts_at_ns=old.starts_at_ns)  # they know it to the millisecond
    try:
        await manager.set_silence(silence)
    except SilenceRefused:
        if old is None:
            raise
        silence = msgspec.structs.replace(silence, silence_id=new_id(clock.wall_ns()))
        await manager.set_silence(silence)
        await manager.expire_silence(said.id)
    return silence.silence_id


class _Wanted:
    """What a client asks for: by labels, receiver and state."""

    def __init__(
        self,
        filter: Sequence[str] | None,
        receiver: str,
        active: bool,
        silenced: bool,
        inhibited: bool,
        unprocessed: bool,
    ) -> None:
        self._matchers = words.filtered(filter or ())
        try:
            self._receiver = re.compile(receiver) if receiver else None
        except re.error as error:
            raise Refused(f"receiver: expected a regular expression, was {receiver!r}: {error}") from None
        self._states = {"active": active, "unprocessed": unprocessed, "suppressed": True}
        self._silenced = silenced
        self._inhibited = inhibited

    def __call__(self, one: Standing) -> bool:
        if (one.silenced_by and not self._silenced) or (one.inhibited_by and not self._inhibited):
            return False
        if self._receiver is not None and not any(self._receiver.fullmatch(name) for name in one.receivers):
            return False
        return self._states[one.state] and all_match(self._matchers, one.alert.labels)


def _said(answer: Callable[[], Sequence[object]]) -> Response:
    try:
        return json_answer(answer())
    except OrchestratorError as error:
        return _error(error)


async def _body(request: Request, kind: type[T]) -> T:
    """Prometheus sends some hundred alerts at once, a storm comes in larger bodies; all of it is JSON by its header."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise BodyRefused(f"expected the header content-type: {JSON}, was {content_type or 'missing'}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > POSTED_BYTES_MAX:
            raise BodyRefused(f"expected at most {POSTED_BYTES_MAX} bytes, was more")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except msgspec.MsgspecError as error:
        raise BodyRefused(f"the body: {error}") from None


def _error(error: OrchestratorError) -> Response:
    status = 400 if isinstance(error, Refused) else 503
    return Response(msgspec.json.encode(error.message), status, media_type=JSON)
