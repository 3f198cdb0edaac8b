"""Heartbeats: when each monitored program was heard last, folded from facts, so that no restart counts as a beat."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

HEARTBEAT = "heartbeat"  # the metric that a beat is a sample of, with the label `monitor`
RECORDED_A_TIMEOUT = 100  # a program that beats more often than so many times in its time-out fills no journal


class HeartbeatHeard(msgspec.Struct, frozen=True, kw_only=True):
    """A program was heard, or is waited for from now on. A beat too soon after a recorded one is no fact."""

    kind: ClassVar[str] = "heartbeat.heard"
    monitor: str
    at_ns: int


class HeartbeatForgotten(msgspec.Struct, frozen=True, kw_only=True):
    """No rule watches this program any more; if one does again, it is waited for anew."""

    kind: ClassVar[str] = "heartbeat.forgotten"
    monitor: str
    at_ns: int


Body = HeartbeatHeard | HeartbeatForgotten


class Heartbeats:
    """The last beats. Law: append what `start` and `hear` return before anybody is told that it was heard.

    Args:
        timeouts_s: by monitor, the shortest of its rules.
        awaited: monitors whose first start counts as a beat, so that a program that never came is missed too.
    """

    def __init__(self, timeouts_s: Mapping[str, float] | None = None, awaited: Collection[str] = ()) -> None:
        self._apart_ns = {name: round(s * 1e9) // RECORDED_A_TIMEOUT for name, s in (timeouts_s or {}).items()}
        self._awaited = [name for name in self._apart_ns if name in awaited]
        self.heard_ns: dict[str, int] = {}

    def apply(self, body: Body) -> None:
        """Take one fact in."""
        if isinstance(body, HeartbeatHeard):
            self.heard_ns[body.monitor] = body.at_ns
        else:
            self.heard_ns.pop(body.monitor, None)

    def start(self, samples: Samples, now_ns: int) -> Sequence[Body]:
        """Take over: the beats of the past become samples, and what nobody waited for before is waited for now."""
        gone = [name for name in self.heard_ns if name not in self._apart_ns]
        new = [name for name in self._awaited if name not in self.heard_ns]
        decided: list[Body] = [HeartbeatForgotten(monitor=name, at_ns=now_ns) for name in gone]
        decided += [HeartbeatHeard(monitor=name, at_ns=now_ns) for name in new]
        for body in decided:
            self.apply(body)
        for name, at_ns in self.heard_ns.items():
            samples.add(HEARTBEAT, {"monitor": name}, at_ns, 1.0)
        return decided

    def hear(self, monitor: str, samples: Samples, now_ns: int) -> Sequence[Body]:
        """Take a sign of life; a successor takes it for at most a hundredth of its time-out older than it is."""
        samples.add(HEARTBEAT, {"monitor": monitor}, now_ns, 1.0)
        heard_ns = self.heard_ns.get(monitor)
        if heard_ns is not None and now_ns - heard_ns < self._apart_ns.get(monitor, 0):
            return ()
        heard = HeartbeatHeard(monitor=monitor, at_ns=now_ns)
        self.apply(heard)
        return (heard,)

    def snapshot(self) -> Sequence[Body]:
        """Return facts that make this state when applied to new ones."""
        return [HeartbeatHeard(monitor=name, at_ns=at_ns) for name, at_ns in self.heard_ns.items()]
