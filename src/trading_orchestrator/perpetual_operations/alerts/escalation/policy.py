"""Who is called, in which order, and how each person wants to be called."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused

FOR_EVER = -1


class EscalationRefused(Refused):
    """What was asked for cannot be done to this escalation now. Facts: escalation_id."""

    code = "alerts.escalation_refused"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rung. `delay_s`: how long it waits for an acknowledgement before the next rung.

    targets: `user:NAME` (or the bare name), `schedule:NAME` for whoever is on call, `channel:NAME` for a room that
        is told once.
    multi_ack: an acknowledgement quiets only the person who gave it.
    """

    delay_s: Annotated[float, Meta(gt=0)]
    targets: tuple[str, ...] = ()
    multi_ack: bool = False


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to reach a person, tried `delay_s` after that person's rung was reached."""

    channel: str
    delay_s: Annotated[float, Meta(ge=0)] = 0.0


class EscalationPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ladder. `repeat`: how often it begins anew after the last rung; -1 is for ever.

    acknowledge_timeout_s: an acknowledgement holds so long; then its rung is called again. None: until the end.
    """

    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    repeat: Annotated[int, Meta(ge=FOR_EVER)] = 0
    acknowledge_timeout_s: Annotated[float, Meta(gt=0)] | None = None

    def after(self, step: int, loops: int, *, is_forced: bool) -> int | None:
        """Return the rung after this one, or None at the end; whoever asks by hand always gets one."""
        if step + 1 < len(self.steps):
            return step + 1
        return 0 if is_forced or self.repeat == FOR_EVER or loops < self.repeat else None


People = Mapping[str, tuple[Contact, ...]]


class TargetRefused(Refused):
    """A ladder names somebody or something that is not there. Facts: policy, key, target."""

    code = "alerts.target_refused"


def target_of(text: str) -> tuple[str, str]:
    """Return kind and name of a target; a bare name is a user's."""
    kind, _, name = text.rpartition(":")
    return kind or "user", name


def check_targets(
    policies: Mapping[str, EscalationPolicy],
    *,
    people: Collection[str],
    schedules: Collection[str],
    channels: Collection[str],
) -> None:
    """Refuse ladders with a target that does not exist.

    Raises:
        TargetRefused: the sentence names policy, step and target.
    """
    known = {"user": people, "schedule": schedules, "channel": channels}
    for policy, ladder in policies.items():
        for number, step in enumerate(ladder.steps):
            for target in step.targets:
                kind, name = target_of(target)
                if name in known.get(kind, ()):
                    continue
                expected = f"known: {sorted(known[kind])}" if kind in known else f"expected one of {sorted(known)}"
                key = f"steps.{number}.targets"
                raise TargetRefused(
                    f"escalation {policy}: {key}: nothing is named {target!r}; {expected}",
                    policy=policy,
                    key=key,
                    target=target,
                )
