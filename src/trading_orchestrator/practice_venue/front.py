"""The public port: REST, market streams and WebSocket API behind one handler, no router."""

import asyncio
from urllib.parse import unquote_plus

from aiohttp import web

from trading_orchestrator.practice_venue.calls import BY_REST
from trading_orchestrator.practice_venue.connection import reset
from trading_orchestrator.practice_venue.effects import Delivery
from trading_orchestrator.practice_venue.gateway import Gateway, Reply, Request
from trading_orchestrator.practice_venue.market_streams import MarketStreams
from trading_orchestrator.practice_venue.user_streams import UserStreams

LOOK_FOR_GONE_CLIENT_S = 0.5
CLIENT_LEFT = 499
"""Read by nobody, as nginx logs it."""


class Front:
    """Reads requests as they are signed, byte for byte, and delivers the replies as the faults want them."""

    def __init__(self, gateway: Gateway, market_streams: MarketStreams, user_streams: UserStreams) -> None:
        self._gateway = gateway
        self._market_streams = market_streams
        self._user_streams = user_streams

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._serve(request)
        except ConnectionResetError:  # who asked has left, perhaps while we were stopped: no error of the venue
            return web.Response(status=CLIENT_LEFT)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        row = BY_REST.get((request.method, path))
        if row is not None:
            body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
            params, signed_text = _parsed(query, body)
            reply = await self._gateway.serve(Request(row, params, request.headers.get("X-MBX-APIKEY"), signed_text))
            return await _deliver(request, reply)
        if path == "/ws-api/v3":
            turned_away = await self._gateway.admit("user_stream")
            return await (_deliver(request, turned_away) if turned_away else self._user_streams.serve(request))
        if path in {"/stream", "/ws"} or path.startswith("/ws/"):
            turned_away = await self._gateway.admit("market_stream")
            if turned_away is not None:
                return await _deliver(request, turned_away)
            return await self._market_streams.serve(request, path, _parsed(query, "")[0])
        return web.Response(status=404, text=f"nothing at {path}")


def _parsed(query: str, body: str) -> tuple[dict[str, str], str]:
    """Return the parameters and the text that the signature covers: query and body, joined without a separator."""
    params: dict[str, str] = {}
    signed: list[str] = []
    for part in (query, body):
        kept = []
        for pair in part.split("&") if part else ():
            name, _, value = pair.partition("=")
            params[unquote_plus(name)] = unquote_plus(value)
            if name != "signature":
                kept.append(pair)
        signed.append("&".join(kept))
    return params, "".join(signed)


async def _deliver(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    answer = reply.answer
    if reply.delivery is Delivery.RESET:
        reset(request.transport)
    elif reply.delivery is Delivery.NEVER:
        await _until_client_leaves(request)
    elif reply.delivery is Delivery.CUT_SHORT:
        return await _cut_short(request, reply)
    return web.Response(
        status=answer.status or 503, body=answer.body, headers=answer.headers, content_type=answer.content_type
    )


async def _until_client_leaves(request: web.BaseRequest) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(LOOK_FOR_GONE_CLIENT_S)


async def _cut_short(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.answer.status)
    response.content_type = reply.answer.content_type
    response.content_length = len(reply.answer.body)
    await response.prepare(request)
    await response.write(reply.answer.body[: len(reply.answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
