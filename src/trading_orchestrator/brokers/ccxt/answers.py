"""What a venue's answer proves: a table per venue, read by one pure function.

Never by ccxt's exception classes alone: ccxt 4.5.90 has the same class for −2011 and −2013, another class for
the same −2015 after the first good answer, and returns an order without an id for an empty 200. What no row
proves is AMBIGUOUS: the order may live (ORDER_PROTOCOL §4).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from trading_orchestrator.brokers.ccxt.reading import raw_hash


class Answer(Enum):
    """What the caller may conclude."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # a business code proven to come before matching
    KEY_REFUSED = "key_refused"  # the account's key is not accepted, so nothing came before matching
    DUPLICATE = "duplicate"  # evidence that the id exists: ask and adopt
    NOT_FOUND = "not_found"  # authoritative: no such order now
    CANCEL_REFUSED = "cancel_refused"  # no such open order
    NO_SYMBOL = "no_symbol"  # refused before matching; the venue knows no such symbol (any more)
    NOT_SENT = "not_sent"  # no byte left
    NOT_READ = "not_read"  # the venue refused to look at it: rate limit, ban, clock
    AMBIGUOUS = "ambiguous"


class Failure(Enum):
    """How a request ended that brought no HTTP answer."""

    LOCAL = "local"  # refused on this side, before the transport was asked
    CONNECT = "connect"  # no connection came about, so no byte left
    LOST = "lost"  # time-out, reset, cut short: bytes may have left


class Reply(msgspec.Struct, frozen=True):
    """An answer as it arrived: either `failure` or `http_status` is set. `code` is "" when no JSON code was in it.

    `raw_hash`: of the answer's JSON, "" when it had none. `bad_symbol`: the library took it for "no such symbol".
    """

    failure: Failure | None = None
    http_status: int | None = None
    code: str = ""
    text: str = ""
    retry_after_s: float | None = None
    raw_hash: str = ""
    bad_symbol: bool = False


class Row(NamedTuple):
    """A parsed code, with a 4xx status, proves `answer`. `text` narrows a code that means several things."""

    code: int
    answer: Answer
    why: str
    text: str = ""


# Source: binance-spot-api-docs, errors.md. A 5xx is never evidence, whatever code it carries; the codes that
# say "execution status unknown" (−1006, −1007), "internal error" (−1000, −1001, −1016) and −1010 have no row.
BINANCE = (
    Row(-1003, Answer.NOT_READ, "request weight used up, or banned until"),
    Row(-1015, Answer.NOT_READ, "too many new orders"),
    Row(-1021, Answer.NOT_READ, "timestamp outside recvWindow, so refused before matching"),
    Row(-1002, Answer.REFUSED, "not authorized"),
    Row(-1013, Answer.REFUSED, "a filter failed"),
    Row(-1014, Answer.REFUSED, "unsupported order combination"),
    Row(-1020, Answer.REFUSED, "unsupported operation"),
    Row(-1022, Answer.REFUSED, "signature"),
    Row(-1099, Answer.REFUSED, "not found, authenticated or authorized"),
    Row(-1121, Answer.NO_SYMBOL, "invalid symbol: it was delisted, or never was"),
    *(
        Row(-code, Answer.REFUSED, "a request issue, told before matching")
        for code in (*range(1100, 1121), *range(1122, 1200))
    ),
    Row(-2010, Answer.DUPLICATE, "an open order has this id", "Duplicate order sent."),
    Row(-2010, Answer.REFUSED, "new order rejected: balance, price, market state, account"),
    Row(-2011, Answer.CANCEL_REFUSED, "no such open order", "Unknown order sent."),
    Row(-2011, Answer.REFUSED, "cancel rejected for another reason"),
    Row(-2013, Answer.NOT_FOUND, "order does not exist"),
    Row(-2014, Answer.KEY_REFUSED, "API key format"),
    Row(-2015, Answer.KEY_REFUSED, "API key, IP or permission: the key may be revoked"),
    Row(-2026, Answer.REFUSED, "the order is archived"),
)

# Other venues start with an empty table: cautious until their answers are proven one by one.
TABLES: Mapping[str, tuple[Row, ...]] = {
    "binance": BINANCE,
    "binanceus": BINANCE,
}

_OF_FAILURE = {
    Failure.LOCAL: Answer.REFUSED,
    Failure.CONNECT: Answer.NOT_SENT,
    Failure.LOST: Answer.AMBIGUOUS,
}

# Raised by aiohttp, or by the resolver below it, before a connection exists.
_BEFORE_CONNECTION = frozenset({"ClientConnectorError", "gaierror", "ConnectionTimeoutError", "InvalidURL"})


def classify(reply: Reply, venue: str) -> Answer:
    """Return what the reply proves at this venue; AMBIGUOUS unless a row proves more.

    Args:
        venue: ccxt's exchange id, which names the table.
    """
    if reply.failure is not None:
        return _OF_FAILURE[reply.failure]
    status = reply.http_status or 0
    if not 400 <= status < 500 or not reply.code:
        return Answer.AMBIGUOUS
    for row in TABLES.get(venue, ()):
        if str(row.code) == reply.code and (not row.text or row.text == reply.text):
            return row.answer
    return Answer.AMBIGUOUS


def names_no_symbol(reply: Reply) -> bool:
    """Return whether the library took an answer, or our question, for one about a symbol that does not exist.

    Enough to ask no more entries of it, at any exchange; of an order it proves nothing. A 5xx does not even say that.
    """
    told = reply.http_status is not None and reply.http_status < 500
    return reply.bad_symbol and (told or reply.failure is Failure.LOCAL)


def reply_of(error: BaseException, *, sent: bool) -> Reply:
    """Return the reply that a ccxt exception stands for.

    Args:
        sent: whether the transport had been asked when it was raised.

    Nothing of the exception's own text is kept when it came from the transport: it holds the signed URL.
    """
    bad_symbol = any(kind.__name__ == "BadSymbol" for kind in type(error).__mro__)
    reply = getattr(error, "reply", None)
    if isinstance(reply, Reply):
        return msgspec.structs.replace(reply, bad_symbol=bad_symbol)
    name = type(error).__name__
    if not sent:
        return Reply(failure=Failure.LOCAL, text=f"{name}: {error}", bad_symbol=bad_symbol)
    cause = error.__cause__
    if cause is None:
        return Reply(failure=Failure.LOST, text=name)
    before = any(parent.__name__ in _BEFORE_CONNECTION for parent in type(cause).__mro__)
    return Reply(failure=Failure.CONNECT if before else Failure.LOST, text=f"{name} from {type(cause).__name__}")


def reply_from_http(status: int, headers: Mapping[str, str], body: str | None, parsed: object) -> Reply:
    """Return an HTTP answer as a reply; `parsed` is its JSON, or None."""
    fields: Mapping[str, Any] = parsed if isinstance(parsed, dict) else {}
    code = fields.get("code", "")
    text = fields.get("msg", "")
    if isinstance(code, bool) or not isinstance(code, int | str):
        code = ""
    return Reply(
        http_status=status,
        code=str(code),
        text=text if isinstance(text, str) and text else (body or "")[:200],
        retry_after_s=_seconds(headers),
        raw_hash=raw_hash(parsed) if parsed is not None else "",
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return max(0.0, float(value))
            except ValueError:
                return None  # an HTTP date: no venue we know sends it
    return None
