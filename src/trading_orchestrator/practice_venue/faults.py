"""The fault script: which call, which fault, how often; a table from names to effects.

A fault acts in one phase: BEFORE the venue looks at the request (so nothing is accepted), at the ANSWER
(so everything is accepted and only the answer suffers), or on a stream EVENT. To add one, add a row to EFFECTS.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

import msgspec

from trading_orchestrator.practice_venue.chance import Dice
from trading_orchestrator.practice_venue.refusals import STATUS_BY_CODE, TEXT_BY_CODE, Answer


class Phase(Enum):
    BEFORE = "before"
    ANSWER = "answer"
    EVENT = "event"


class Delivery(Enum):
    """How an answer, or a stream frame, goes out."""

    WHOLE = "whole"
    NEVER = "never"
    RESET = "reset"
    CUT_SHORT = "cut_short"
    TWICE = "twice"


class FaultSpec(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, frozen=True):
    """One fault as the control endpoint takes it. `effect` or `fault` (F1, F2, ...) says what happens.

    It acts on calls that match `call` (a name or pattern), `account` and `client_order_id`; of those on the
    `nth` one only, or each with `probability`; at most `times` (default 1; without limit when `for_s` or
    `probability` is given) and only within `for_s`.
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault makes of a call or frame: `answer` None keeps the venue's own."""

    delivery: Delivery = Delivery.WHOLE
    answer: Answer | None = None
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    name: str
    phase: Phase
    outcome: Callable[[FaultSpec, Answer | None], Outcome]
    why: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call or a stream frame as faults see it."""

    name: str
    account: str | None
    client_order_id: str | None


@dataclass(slots=True)
class Fault:
    fault_id: int
    spec: FaultSpec
    effect: Effect
    ends_s: float | None
    dice: Dice
    seen: int = 0
    acted: int = 0


class FaultUnknown(Exception):
    """The control endpoint was asked for a fault that the table does not have."""


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


EFFECTS = (
    Effect("reset_before", Phase.BEFORE, _deliver(Delivery.RESET), "not accepted, connection reset"),
    Effect("refuse", Phase.BEFORE, _refuse, "not accepted, answered with status and code"),
    Effect("hold_request", Phase.BEFORE, _delay, "the request sits in the network for delay_ms, then is looked at"),
    Effect("lose_request", Phase.BEFORE, _deliver(Delivery.NEVER), "not accepted, never answered"),
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
    Effect("drop_frame", Phase.EVENT, _deliver(Delivery.NEVER), "the stream frame is lost"),
    Effect("double_frame", Phase.EVENT, _deliver(Delivery.TWICE), "the stream frame comes twice"),
    Effect("delay_frame", Phase.EVENT, _delay, "the stream frame comes delay_ms later, overtaken by others"),
)
BY_NAME = {effect.name: effect for effect in EFFECTS}

NAMED: dict[str, dict[str, str | int]] = {
    "F1": {"effect": "never_answer", "call": "order.place"},
    "F2": {"effect": "reset_after", "call": "order.place"},
    "F3": {"effect": "answer_error", "call": "order.place", "status": 503, "code": -1000},
    "F4": {"effect": "reset_before", "call": "order.place"},
    "F5": {"effect": "hold_request", "call": "order.place", "delay_ms": 3000},
    "F6": {"effect": "refuse", "call": "order.query", "code": -2013},
    "F7": {"effect": "refuse", "call": "order.query", "status": 503, "code": -1000},
    "F8": {"effect": "refuse", "call": "*", "status": 429, "code": -1003, "retry_after_s": 1},
    "F11": {"effect": "drop_frame", "call": "user_stream.*"},
    "F12": {"effect": "drop_frame", "call": "user_stream.executionReport"},
    "F17": {"effect": "never_answer", "call": "order.cancel"},
    "F20": {"effect": "drop_frame", "call": "*_stream.*"},
}


class Faults:
    """The faults now set. The first one that matches acts; the others do not see the call."""

    def __init__(self, seed: int, now_s: Callable[[], float]) -> None:
        self._seed = seed
        self._now_s = now_s
        self._faults: dict[int, Fault] = {}
        self._spent: deque[Fault] = deque(maxlen=1000)
        self._next_id = 1

    def add(self, spec: FaultSpec) -> Fault:
        """Set a fault and return it. Raises FaultUnknown."""
        spec = _completed(spec)
        ends_s = None if spec.for_s is None else self._now_s() + spec.for_s
        fault = Fault(self._next_id, spec, BY_NAME[spec.effect], ends_s, Dice(self._seed + self._next_id))
        self._faults[fault.fault_id] = fault
        self._next_id += 1
        return fault

    def list(self) -> Sequence[Fault]:
        """Return the faults that can still act, then those that are used up."""
        return (*self._faults.values(), *self._spent)

    def any_for(self, phase: Phase) -> bool:
        return any(fault.effect.phase is phase for fault in self._faults.values())

    def clear(self, fault_id: int | None = None) -> int:
        """Remove one fault, or all, and return how many were removed."""
        doomed = [fault_id] if fault_id is not None else list(self._faults)
        return sum(self._faults.pop(key, None) is not None for key in doomed)

    def strike(self, phase: Phase, call: Call, answer: Answer | None = None) -> tuple[Fault, Outcome] | None:
        """Return the fault that acts on this call now, or None."""
        for fault in tuple(self._faults.values()):
            if self._is_spent(fault):
                self._spent.append(self._faults.pop(fault.fault_id))
            elif fault.effect.phase is phase and _matches(fault.spec, call) and self._acts(fault):
                fault.acted += 1
                return fault, fault.effect.outcome(fault.spec, answer)
        return None

    def _is_spent(self, fault: Fault) -> bool:
        ended = fault.ends_s is not None and self._now_s() >= fault.ends_s
        return ended or (fault.spec.times is not None and fault.acted >= fault.spec.times)

    def _acts(self, fault: Fault) -> bool:
        spec = fault.spec
        fault.seen += 1
        if spec.nth is not None and fault.seen != spec.nth:
            return False
        return spec.probability is None or fault.dice.throw() < spec.probability


def _completed(spec: FaultSpec) -> FaultSpec:
    given = msgspec.to_builtins(spec)
    if spec.fault and spec.fault not in NAMED:
        raise FaultUnknown(f"expected a fault named one of {', '.join(NAMED)}, was {spec.fault}")
    named = dict(NAMED.get(spec.fault, {}))
    if "code" in given:
        named.pop("status", None)  # the other code brings its own status
    whole = {"call": "*", **named, **given}
    if whole.get("effect") not in BY_NAME:
        raise FaultUnknown(f"expected an effect named one of {', '.join(BY_NAME)}, was {whole.get('effect', '')!r}")
    if "times" not in whole and spec.for_s is None and spec.probability is None:
        whole["times"] = 1
    return msgspec.convert(whole, FaultSpec)


def _matches(spec: FaultSpec, call: Call) -> bool:
    return (
        fnmatchcase(call.name, spec.call)
        and spec.account in (None, call.account)
        and spec.client_order_id in (None, call.client_order_id)
    )


def _error(spec: FaultSpec) -> Answer:
    code = spec.code if spec.code is not None else -1000
    status = spec.status or STATUS_BY_CODE.get(code, 400)
    said = spec.text or TEXT_BY_CODE.get(code, TEXT_BY_CODE[-1000])
    headers = () if spec.retry_after_s is None else (("Retry-After", str(spec.retry_after_s)),)
    return Answer(status, msgspec.json.encode({"code": code, "msg": said}), headers)
