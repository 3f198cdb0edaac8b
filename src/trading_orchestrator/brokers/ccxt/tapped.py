"""A ccxt exchange with taps: answers keep status and code, frames come raw and in order.

ccxt hands its watchers a cache and only while they wait, so of two frames read in one go the second is seen
with the third; the tap sees each frame as it is read. A consumed frame is not parsed by ccxt a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from trading_orchestrator.brokers.ccxt.answers import reply_from_http

FrameTap = Callable[[Any], bool]


class Sending:
    """Whether the transport was asked within the present call."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


SENDING: ContextVar[Sending | None] = ContextVar("ccxt_sending", default=None)


def tapped(exchange_class: type[Any]) -> type[Any]:  # noqa: C901  six small overrides, not one large function
    """Return a subclass whose instances have `frame_taps` and `connect_taps`, lists of callables."""

    class Tapped(exchange_class):  # type: ignore[misc]  # ccxt ships no types that hold
        def __init__(self, config: Mapping[str, Any]) -> None:
            self.frame_taps: list[FrameTap] = []
            self.connect_taps: list[Callable[[], None]] = []
            super().__init__(config)

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            sending = SENDING.get()
            if sending is not None:
                sending.sent = True
            return await super().fetch(url, method, headers, body)

        def handle_errors(self, *answer: Any) -> Any:
            status, reason, url, method, headers, body, parsed, *_ = answer
            try:
                super().handle_errors(*answer)
                # ccxt asks this right after, but without the headers: asked here, Retry-After is still known.
                return self.handle_http_status_code(status, reason, url, method, body)
            except Exception as error:
                error.reply = reply_from_http(status, headers, body, parsed)  # type: ignore[attr-defined]
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
