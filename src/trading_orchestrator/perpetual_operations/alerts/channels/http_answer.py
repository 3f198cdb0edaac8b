"""One POST and what its answer means for the letter in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import httpx2

from trading_orchestrator.errors import Refused, Transient, Unknown
from trading_orchestrator.perpetual_operations.alerts.channels.port import ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.channels.retry_after import retry_after_s

TRY_AGAIN = frozenset({408, 425, 429})


class ReceiverUnreachable(Transient):
    """No connection was made, so nothing was sent. Facts: error."""

    code = "alerts.receiver_unreachable"


class ReceiverFailing(Transient):
    """The receiver could not take it now. Facts: status."""

    code = "alerts.receiver_failing"


class ReceiverSilent(Unknown):
    """It was sent and no answer could be read. Facts: error."""

    code = "alerts.receiver_silent"


class LetterRefused(Refused):
    """The receiver does not take this letter. Facts: status."""

    code = "alerts.letter_refused"


def private_client(timeout_s: float) -> httpx2.AsyncClient:
    """Return a client that follows no redirect, for a letter goes nowhere but where it was meant to.

    The library logs every address at INFO, and an address may be a secret: from now on only its host is logged.
    """
    logging.getLogger("httpx2").addFilter(hide_paths)
    return httpx2.AsyncClient(timeout=timeout_s, follow_redirects=False)


def hide_paths(record: logging.LogRecord) -> bool:
    """Leave of each address in a record of the client's log its scheme and host (a logging.Filter)."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            f"{one.scheme}://{one.host}/…" if isinstance(one, httpx2.URL) else one for one in record.args
        )
    return True


async def post(
    client: httpx2.AsyncClient, url: str, *, body: bytes, headers: Mapping[str, str], now_s: float
) -> httpx2.Response:
    """Return the answer of a receiver that took it.

    Raises:
        ReceiverUnreachable, ReceiverBusy, ReceiverFailing: it does not have it.
        ReceiverSilent: nobody knows.
        LetterRefused: it never will.
    """
    try:
        response = await client.post(url, content=body, headers=dict(headers))
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise ReceiverUnreachable(f"no connection: {_kind(error)}", error=type(error).__name__) from None
    except httpx2.HTTPError as error:
        raise ReceiverSilent(f"no answer: {_kind(error)}", error=type(error).__name__) from None
    judge(response.status_code, response.headers.get("Retry-After"), now_s)
    return response


def judge(status: int, retry_after: str | None, now_s: float) -> None:
    """Return when the status says that the receiver has it, and raise as `post` does otherwise."""
    if 200 <= status < 300:
        return
    wait_s = retry_after_s(retry_after, now_s=now_s)
    if status in TRY_AGAIN or (status >= 500 and wait_s is not None):
        raise ReceiverBusy(f"answered {status}", retry_after_s=wait_s, status=status)
    if status >= 500:
        raise ReceiverFailing(f"answered {status}", status=status)
    raise LetterRefused(f"answered {status}", status=status)


def _kind(error: Exception) -> str:
    """Name the error without its words: they may hold the address, and with it a token."""
    return type(error).__name__
