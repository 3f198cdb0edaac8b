"""The process that sends one message by Apprise and ends: foreign code that may hang, held where it can be killed."""

from __future__ import annotations

import logging
import sys
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from trading_orchestrator.perpetual_operations.alerts.channels.apprise.talk import Errand, Reply


class Wire:
    """Sits between Apprise and the network: adds our key, and remembers what the service truly answered.

    Apprise only says whether all went well; whether to try again, and when, stands in the answers.
    """

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._statuses: list[int] = []
        self._retry_after: str | None = None
        self._failure: str | None = None

    def install(self) -> None:
        """Take the place of the adapter that all of this process' requests go through."""
        from requests.adapters import HTTPAdapter

        own = HTTPAdapter.send

        def send(adapter: HTTPAdapter, request: Any, **options: Any) -> Any:
            return self._send(lambda: own(adapter, self._marked(request), **self._bounded(options)))

        HTTPAdapter.send = send

    def reply(self, is_sent: bool) -> Reply:
        """Return what is known at the end."""
        return Reply(
            is_sent=is_sent, statuses=tuple(self._statuses), retry_after=self._retry_after, failure=self._failure
        )

    def _send(self, call: Any) -> Any:
        import requests

        try:
            response = call()
        except requests.exceptions.RequestException as error:
            self._failure = "unreachable" if _never_left(error) else "silent"
            raise
        self._statuses.append(response.status_code)
        self._retry_after = response.headers.get("Retry-After", self._retry_after)
        return response

    def _marked(self, request: Any) -> Any:
        request.headers["Idempotency-Key"] = self._errand.idempotency_key
        if self._errand.gateway_url is not None:
            gateway, meant = urlsplit(self._errand.gateway_url), urlsplit(request.url)
            request.headers["X-Forwarded-Host"] = meant.netloc
            path = gateway.path.rstrip("/") + meant.path
            request.url = urlunsplit((gateway.scheme, gateway.netloc, path, meant.query, ""))
        return request

    def _bounded(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "timeout": self._errand.timeout_s}


def main() -> None:
    """Read the errand, send it or only look at its address, and write the reply."""
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    logging.disable(logging.CRITICAL)  # Apprise's words may hold the address, and with it the secrets
    wire = Wire(errand)
    wire.install()
    sys.stdout.buffer.write(msgspec.json.encode(_sent(errand, wire)))


def _sent(errand: Errand, wire: Wire) -> Reply:
    import apprise

    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY)
    service = apprise.Apprise(asset=asset)
    if not service.add(errand.url):
        return Reply(is_sent=False, is_address=False)
    if errand.only_look:
        return wire.reply(is_sent=False)
    is_sent = service.notify(title=errand.title, body=errand.body, notify_type=errand.kind)
    return wire.reply(bool(is_sent))


def _never_left(error: Exception) -> bool:
    import requests

    reason = getattr(error.args[0], "reason", None) if error.args else None
    is_new = any(kind.__name__ == "NewConnectionError" for kind in type(reason).__mro__)  # urllib3's
    return is_new or isinstance(error, requests.exceptions.ConnectTimeout)


if __name__ == "__main__":
    main()
