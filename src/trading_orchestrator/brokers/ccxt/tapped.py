"""A ccxt exchange with taps: answers keep status and code, frames come raw and in order.

ccxt hands its watchers a cache and only while they wait, so of two frames read in one go the second is seen
with the third; the tap sees each frame as it is read. A consumed frame is not parsed by ccxt a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from trading_orchestrator.brokers.budget import LAST_LOOK, Purpose
from trading_orchestrator.brokers.ccxt.answers import reply_from_http
from trading_orchestrator.kernel.clock import Clock

FrameTap = Callable[[Any], bool]
AnswerTap = Callable[[Mapping[str, str], Any], None]
Gate = Callable[[float, Purpose], Awaitable[None]]
"""Returns when a request of this cost (in ccxt's unit) may leave."""

Use = Callable[[str], AbstractContextManager[None]]


class Sending:
    """Why and for what the present call is made, and when (monotonic) the transport was asked; 0: not yet."""

    __slots__ = ("purpose", "sent_ns", "what")

    def __init__(self, purpose: Purpose, what: str = "") -> None:
        self.purpose = purpose
        self.what = what
        self.sent_ns = 0

    @property
    def sent(self) -> bool:
        return self.sent_ns > 0


SENDING: ContextVar[Sending | None] = ContextVar("ccxt_sending", default=None)


def tapped(exchange_class: type[Any], clock: Clock, gate: Gate, use: Use) -> type[Any]:  # noqa: C901  small overrides
    """Return a subclass whose instances have `frame_taps`, `answer_taps` and `connect_taps`, lists of callables.

    Args:
        gate: asked before each request is signed, whoever in the library makes it.
        use: entered with the call's name for as long as the transport is at a request.
    """

    class Tapped(exchange_class):  # type: ignore[misc]  # ccxt ships no types that hold
        def __init__(self, config: Mapping[str, Any]) -> None:
            self.frame_taps: list[FrameTap] = []
            self.answer_taps: list[AnswerTap] = []
            self.connect_taps: list[Callable[[], None]] = []
            super().__init__(config)

        async def fetch2(
            self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
        ) -> Any:
            sending, params, config = SENDING.get(), params or {}, config or {}
            cost = self.calculate_rate_limiter_cost(api, method, path, params, config)
            await gate(float(cost), sending.purpose if sending is not None else Purpose.QUESTION)
            return await super().fetch2(path, api, method, params, config)

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            # Signed, so stamped: whoever is stopped from here on sends bytes that the venue's validity window refuses.
            LAST_LOOK.get()()
            sending = SENDING.get()
            if sending is not None:
                sending.sent_ns = clock.monotonic_ns()
            with use(sending.what if sending is not None else "the library's own request"):
                return await super().fetch(url, method, headers, body)

        def handle_errors(self, *answer: Any) -> Any:
            status, reason, url, method, headers, body, parsed, *_ = answer
            for tap in self.answer_taps:
                tap(headers, parsed)
            try:
                super().handle_errors(*answer)
                # ccxt asks this right after, but without the headers: asked here, Retry-After is still known.
                return self.handle_http_status_code(status, reason, url, method, body)
            except Exception as error:  # raised again, with the answer that `client.failure` classifies by
                error.reply = reply_from_http(status, headers, body, parsed)  # type: ignore[attr-defined]  # ours
                raise

        def handle_message(self, client: Any, message: Any) -> None:
            try:
                if not any(tap(message) for tap in self.frame_taps):
                    super().handle_message(client, message)
            except Exception as error:  # noqa: BLE001  raised here it would end ccxt's receive loop, silently
                client.on_error(error)

        def ws_dial_delay(self, url: str) -> float:
            return 0.0  # the wait between attempts is ours (streams.py); ccxt's would be added to it, up to 30 s

        def on_connected(self, client: Any, message: Any = None) -> None:
            super().on_connected(client, message)
            for tap in self.connect_taps:
                tap()

    return Tapped
