"""The faults now set: which call or frame each of them strikes, how often, and how long."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from trading_orchestrator.practice_venue.chance import Dice
from trading_orchestrator.practice_venue.effects import BY_NAME, NAMED, Effect, FaultSpec, Outcome, Phase
from trading_orchestrator.practice_venue.refusals import Answer


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
            elif fault.effect.phase is phase and _matches(fault, call) and self._acts(fault):
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


def _matches(fault: Fault, call: Call) -> bool:
    spec = fault.spec
    return (
        fnmatchcase(call.name, spec.call)
        and spec.account in (None, call.account)
        and (fault.effect.aims_inside or spec.client_order_id in (None, call.client_order_id))
    )
