"""The fault script's tables: what can go wrong, and the usual form of each fault by its name.

A fault acts in one phase: BEFORE the venue looks at the request (so nothing is accepted), at the ANSWER
(so everything is accepted and only the answer suffers), or on a stream EVENT. To add one, add a row to EFFECTS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from trading_orchestrator.practice_venue.refusals import STATUS_BY_CODE, TEXT_BY_CODE, Answer


class Phase(Enum):
    BEFORE = "before"
    ANSWER = "answer"
    EVENT = "event"


class Delivery(Enum):
    """How an answer, or a stream frame, goes out.

    TWICE: the frame, or before the answer the request. HALF_OPEN: the connection neither speaks nor listens any more.
    HOLLOW: a yes that nothing follows.
    """

    WHOLE = "whole"
    NEVER = "never"
    RESET = "reset"
    CUT_SHORT = "cut_short"
    TWICE = "twice"
    HALF_OPEN = "half_open"
    HOLLOW = "hollow"


class FaultSpec(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, frozen=True):
    """One fault as the control endpoint takes it. `effect` or `fault` (F1, F2, ...) says what happens.

    It acts on calls that match `call` (a name or pattern), `account` and `client_order_id`; of those on the
    `nth` one only, or each with `probability`; at most `times` (default 1; without limit when `for_s` or
    `probability` is given) and only within `for_s`.

    The rest shapes what happens; the rows of EFFECTS say which of them they use.
    """

    effect: str = ""
    fault: str = ""
    call: str = ""
    account: str | None = None
    client_order_id: str | None = None
    nth: int | None = None
    probability: float | None = None
    times: int | None = None
    for_s: float | None = None
    delay_ms: int = 0
    status: int | None = None
    code: int | None = None
    text: str | None = None
    retry_after_s: int | None = None
    fields: list[str] = []
    keep: int = 0
    at_ms: int = 1_483_228_800_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault makes of a call or frame: `answer` None keeps the venue's own."""

    delivery: Delivery = Delivery.WHOLE
    answer: Answer | None = None
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """`aims_inside`: `client_order_id` names what is taken out of the answer, not the call."""

    name: str
    phase: Phase
    outcome: Callable[[FaultSpec, Answer | None], Outcome]
    why: str
    aims_inside: bool = False


def _refuse(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return Outcome(answer=_error(spec), delay_ms=spec.delay_ms)


def _deliver(delivery: Delivery) -> Callable[[FaultSpec, Answer | None], Outcome]:
    return lambda spec, venue_answer: Outcome(delivery, delay_ms=spec.delay_ms)


def _delay(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return Outcome(delay_ms=spec.delay_ms)


def _truncate(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    body = venue_answer.body if venue_answer else b""
    return Outcome(answer=Answer(200, body[: len(body) // 2]))


def _empty(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return Outcome(answer=Answer(200, b""))


def _html(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Outcome(answer=Answer(spec.status or 502, page, content_type="text/html"))


def _hide(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return _changed(venue_answer, lambda rows: [row for row in rows if spec.client_order_id not in _ids(row)])


def _forget_old(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return _changed(venue_answer, lambda rows: rows[len(rows) - min(spec.keep, len(rows)) :])


def _strip(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return _changed(venue_answer, lambda said: _with(said, dict.fromkeys(spec.fields)))


def _freeze_time(spec: FaultSpec, venue_answer: Answer | None) -> Outcome:
    return _changed(venue_answer, lambda said: _with(said, dict.fromkeys(("E", "T", "W"), spec.at_ms)))


EFFECTS = (
    Effect("reset_before", Phase.BEFORE, _deliver(Delivery.RESET), "not accepted, connection reset"),
    Effect("refuse", Phase.BEFORE, _refuse, "not accepted, answered with status and code"),
    Effect("hold_request", Phase.BEFORE, _delay, "the request sits in the network for delay_ms, then is looked at"),
    Effect("lose_request", Phase.BEFORE, _deliver(Delivery.NEVER), "not accepted, never answered"),
    Effect("repeat_request", Phase.BEFORE, _deliver(Delivery.TWICE), "it arrives twice; the second answer goes out"),
    Effect("never_answer", Phase.ANSWER, _deliver(Delivery.NEVER), "accepted, never answered"),
    Effect("reset_after", Phase.ANSWER, _deliver(Delivery.RESET), "accepted, connection reset"),
    Effect("answer_error", Phase.ANSWER, _refuse, "accepted, answered with status and code"),
    Effect("truncate", Phase.ANSWER, _truncate, "accepted, the JSON ends half-way"),
    Effect(
        "cut_short", Phase.ANSWER, _deliver(Delivery.CUT_SHORT), "accepted, closed before Content-Length is reached"
    ),
    Effect("empty", Phase.ANSWER, _empty, "accepted, 200 without a body"),
    Effect("html", Phase.ANSWER, _html, "accepted, an HTML page (default 502)"),
    Effect("delay_answer", Phase.ANSWER, _delay, "accepted, answered after delay_ms"),
    Effect("hide", Phase.ANSWER, _hide, "a list lacks the order `client_order_id`", aims_inside=True),
    Effect("forget_old", Phase.ANSWER, _forget_old, "a list with its newest `keep` rows only"),
    Effect("strip_answer", Phase.ANSWER, _strip, "accepted, the `fields` of the answer are null"),
    Effect("acknowledge_only", Phase.ANSWER, _deliver(Delivery.HOLLOW), "a subscription is confirmed, no data follows"),
    Effect("drop_frame", Phase.EVENT, _deliver(Delivery.NEVER), "the stream frame is lost"),
    Effect("double_frame", Phase.EVENT, _deliver(Delivery.TWICE), "the stream frame comes twice"),
    Effect("delay_frame", Phase.EVENT, _delay, "the stream frame comes delay_ms later, overtaken by others"),
    Effect("strip_frame", Phase.EVENT, _strip, "the `fields` of the stream frame are null"),
    Effect("freeze_time", Phase.EVENT, _freeze_time, "every time in the stream frame is `at_ms`"),
    Effect("half_open", Phase.EVENT, _deliver(Delivery.HALF_OPEN), "the connection stays up, deaf and mute"),
)
BY_NAME = {effect.name: effect for effect in EFFECTS}

NAMED: dict[str, dict[str, Any]] = {
    "F1": {"effect": "never_answer", "call": "order.place"},
    "F2": {"effect": "reset_after", "call": "order.place"},
    "F3": {"effect": "answer_error", "call": "order.place", "status": 503, "code": -1000},
    "F4": {"effect": "reset_before", "call": "order.place"},
    "F5": {"effect": "hold_request", "call": "order.place", "delay_ms": 3000},
    "F6": {"effect": "refuse", "call": "order.query", "code": -2013},
    "F7": {"effect": "refuse", "call": "order.query", "status": 503, "code": -1000},
    "F8": {"effect": "refuse", "call": "*", "status": 429, "code": -1003, "retry_after_s": 1},
    "F9": {"effect": "repeat_request", "call": "order.place"},
    "F10": {"effect": "answer_error", "call": "order.place", "status": 504, "code": -1007},
    "F11": {"effect": "drop_frame", "call": "user_stream.*"},
    "F12": {"effect": "drop_frame", "call": "user_stream.executionReport"},
    "F13": {"effect": "delay_answer", "call": "order.place", "delay_ms": 500},
    "F14": {"effect": "strip_frame", "call": "user_stream.executionReport", "fields": ["N"]},
    "F15": {"effect": "hide", "call": "open_orders.query"},
    "F16": {"effect": "forget_old", "call": "trades.query"},
    "F17": {"effect": "never_answer", "call": "order.cancel"},
    "F18": {"effect": "hold_request", "call": "order.cancel", "delay_ms": 500},
    "F19": {"effect": "half_open", "call": "user_stream.*"},
    "F20": {"effect": "drop_frame", "call": "*_stream.*"},
    "F21": {"effect": "freeze_time", "call": "*_stream.*"},
    "F23": {"effect": "acknowledge_only", "call": "user_stream.subscribe"},
    "F24": {"effect": "reset_before", "call": "*_stream.connect", "times": 10_000},
}


def _error(spec: FaultSpec) -> Answer:
    code = spec.code if spec.code is not None else -1000
    status = spec.status or STATUS_BY_CODE.get(code, 400)
    said = spec.text or TEXT_BY_CODE.get(code, TEXT_BY_CODE[-1000])
    headers = () if spec.retry_after_s is None else (("Retry-After", str(spec.retry_after_s)),)
    return Answer(status, msgspec.json.encode({"code": code, "msg": said}), headers)


def _changed(venue_answer: Answer | None, change: Callable[[Any], Any]) -> Outcome:
    """Return the answer with its JSON changed; a refusal stays as it is."""
    if venue_answer is None or venue_answer.status != 200:
        return Outcome()
    return Outcome(answer=Answer(200, msgspec.json.encode(change(msgspec.json.decode(venue_answer.body)))))


def _with(said: Any, values: dict[str, Any]) -> Any:
    """Return the JSON with these values wherever it has such fields, at any depth."""
    if isinstance(said, list):
        return [_with(each, values) for each in said]
    if not isinstance(said, dict):
        return said
    return {name: values[name] if name in values else _with(each, values) for name, each in said.items()}


def _ids(row: dict[str, Any]) -> tuple[Any, Any]:
    return row.get("clientOrderId"), row.get("origClientOrderId")
