"""The outermost layer of the console: host check, security headers, counts, and `Connection: close` while draining."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trading_orchestrator.perpetual_operations.console.problems import problem

log = logging.getLogger(__name__)
FOR_MACHINES = frozenset({"/livez", "/readyz", "/metrics"})
"""What probes and Prometheus read, under whatever name they know the host."""
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
Count = Callable[[str, str, int, float], None]


class Traffic:
    """What is under way on the console, and whether it is being drained. One event loop."""

    def __init__(self) -> None:
        self.draining = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def began(self) -> None:
        self._under_way += 1
        self._idle.clear()

    def ended(self) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._idle.set()

    async def idle(self) -> None:
        """Return once no request is under way."""
        await self._idle.wait()


class Edge:
    """ASGI middleware. `count(method, route, status, seconds)` is called after every answer.

    A page from elsewhere could read us through its own host name, led to our address (DNS rebinding): so a name that
    anybody may own, one with a dot, is answered only when it is in `hosts`. Addresses and short names cannot be owned.
    """

    def __init__(
        self, app: ASGIApp, *, traffic: Traffic, hosts: frozenset[str], count: Count, now_ns: Callable[[], int]
    ) -> None:
        self._app = app
        self._traffic = traffic
        self._hosts = hosts
        self._count = count
        self._now_ns = now_ns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns = self._now_ns()
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(message)
            await send(message)

        self._traffic.began()
        try:
            await self._inner(scope)(scope, receive, send_dressed)
        except Exception:  # the edge of the API: a bug becomes an answer, and its trace goes to the log
            log.exception("%s %s failed", scope["method"], scope["path"])
            if status:
                raise
            await _FAILED(scope, receive, send_dressed)
        finally:
            self._traffic.ended()
            self._count(scope["method"], _route(scope), status, (self._now_ns() - began_ns) / 1e9)

    def _inner(self, scope: Scope) -> ASGIApp:
        host = hostname(Headers(scope=scope).get("host", ""))
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if nobody_elses(host) or host in self._hosts or path in FOR_MACHINES:
            return self._app
        return problem(
            421,
            "This host name is not served here: open the console by its address, such as http://127.0.0.1, "
            "or add the name to perpetual_operations.console.allowed_hosts.",
            "request.host",
        )

    def _dress(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in SECURITY.items():
            headers.setdefault(name, value)
        headers.setdefault("cache-control", "no-store")
        if self._traffic.draining:
            headers["connection"] = "close"


_FAILED = problem(
    500, "This request failed on our side; nothing was changed. The log of this node tells why.", "request.failed"
)


def hostname(host: str) -> str:
    """Return a Host header without its port, in lower case."""
    host = host.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def nobody_elses(host: str) -> bool:
    """Return whether no stranger can own this name: an address, or one without a dot such as localhost."""
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(host) and "." not in host and not host.startswith("[")
    return True


def _route(scope: Scope) -> str:
    """The route's template, never the path itself: labels must stay few whatever is asked for."""
    route = scope.get("route")
    return getattr(route, "path", "unmatched")
