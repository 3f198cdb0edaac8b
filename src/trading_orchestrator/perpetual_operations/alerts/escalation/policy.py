"""Who is called, in which order, and how each person wants to be called."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The ladder. `repeat`: how often it begins anew after the last rung; -1 is for ever."""

    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    repeat: Annotated[int, Meta(ge=FOR_EVER)] = 0

    def after(self, step: int, loops: int, *, is_forced: bool) -> int | None:
        """Return the rung after this one, or None at the end; whoever asks by hand always gets one."""
        if step + 1 < len(self.steps):
            return step + 1
        return 0 if is_forced or self.repeat == FOR_EVER or loops < self.repeat else None


People = Mapping[str, tuple[Contact, ...]]
