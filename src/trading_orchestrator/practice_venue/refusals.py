"""Why the venue says no: Binance's codes, message texts and HTTP statuses.

Source: binance-spot-api-docs, errors.md and "Messages for -1010, -2010, -2011 and -2038".
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer on the wire: HTTP status, body and the headers beyond the usual ones."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


class VenueRefusal(Exception):
    """The request is refused; nothing happened to any order or balance."""

    def __init__(self, code: int, text: str, *, http_status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.http_status = http_status
        self.retry_after_s = retry_after_s


TEXT_BY_CODE = {
    -1000: "An unknown error occurred while processing the request.",
    -1003: "Too many requests; please use the websocket for live updates.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1127: "More than 24 hours between startTime and endTime.",
    -1131: "recvWindow must be less than 60000.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
}
STATUS_BY_CODE = {-1003: 429, -1007: 408, -1008: 503, -1000: 503, -2014: 401, -2015: 401}


def refusal(code: int) -> VenueRefusal:
    """Return the refusal with the code's usual text and status."""
    return VenueRefusal(code, TEXT_BY_CODE[code], http_status=STATUS_BY_CODE.get(code, 400))


def too_heavy(limit: int, retry_after_s: int) -> VenueRefusal:
    text = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return VenueRefusal(-1003, text, http_status=429, retry_after_s=retry_after_s)


def ahead_of_server() -> VenueRefusal:
    return VenueRefusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def filter_failed(name: str) -> VenueRefusal:
    return VenueRefusal(-1013, f"Filter failure: {name}")


def order_rejected(text: str) -> VenueRefusal:
    return VenueRefusal(-2010, text)


def missing(name: str) -> VenueRefusal:
    return VenueRefusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> VenueRefusal:
    return VenueRefusal(-1106, f"Parameter '{name}' sent when not required.")


def illegal_characters(name: str, legal: str) -> VenueRefusal:
    return VenueRefusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def too_precise(name: str) -> VenueRefusal:
    return VenueRefusal(-1111, f"Parameter '{name}' has too much precision.")
