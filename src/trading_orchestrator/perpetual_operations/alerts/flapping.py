"""Flapping: an alert that fires again and again is told once, and its end when it has been quiet long enough."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.alert import Alert

Count = Annotated[int, Meta(ge=1)]


class FlappingRefused(Refused):
    """The two thresholds make no sense. Facts: key."""

    code = "alerts.flapping_refused"


class FlappingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert flaps once it has begun `starts_at` times within `within` seconds, until at most `ends_at` are left.

    Two thresholds, so that flapping does not flap itself. Meanwhile the alert goes on firing for its receivers: the
    first message tells it, the last one its end, and between them only repetitions.
    """

    starts_at: Count = 4
    ends_at: Count = 1
    within: Annotated[float, Meta(gt=0)] = 900.0

    def check(self) -> None:
        """Refuse thresholds of which the second is not below the first."""
        if self.ends_at >= self.starts_at:
            raise FlappingRefused(
                f"flapping: expected ends_at below starts_at {self.starts_at}, was {self.ends_at}", key="ends_at"
            )


class Flap(msgspec.Struct, frozen=True, kw_only=True):
    """When an alert began lately, oldest first; whether its source says now that it fires; whether it flaps."""

    begins_ns: tuple[int, ...]
    is_up: bool
    is_flapping: bool = False

    def calms_at_ns(self, config: FlappingConfig) -> int:
        """Return when it does not flap any more unless it begins again."""
        return self.begins_ns[len(self.begins_ns) - config.ends_at - 1] + round(config.within * 1e9)


def heard(old: Flap | None, *, began_ns: int, is_up: bool, now_ns: int, config: FlappingConfig) -> Flap:
    """Return what is known after the source says that the alert fires, or does not.

    `began_ns` is when it began if nothing else is known; a source that only repeats itself begins nothing.
    """
    begins = (began_ns,) if old is None else old.begins_ns
    if old is not None and is_up and not old.is_up:
        begins = (*begins, now_ns)
    begins = tuple(at_ns for at_ns in begins if now_ns - at_ns < round(config.within * 1e9))
    was_flapping = old is not None and old.is_flapping
    return Flap(
        begins_ns=begins,
        is_up=is_up,
        is_flapping=len(begins) > config.ends_at if was_flapping else len(begins) >= config.starts_at,
    )


def calmed(
    alert: Alert, known: Alert | None, flap: Flap | None, now_ns: int, config: FlappingConfig
) -> tuple[Alert, Flap | None]:
    """Return the alert as it is taken in, and what is known of its flapping now.

    A flapping alert goes on firing until it would be calm; its text says so. What never ended cannot flap.
    """
    is_up = not alert.is_resolved(now_ns)
    if flap is None and (known is None or is_up):
        return alert, None
    if flap is not None and flap.is_up and known is not None and known.is_resolved(now_ns):
        flap = msgspec.structs.replace(flap, is_up=False)  # nobody said that it ended: it timed out
    began_ns = alert.starts_at_ns if known is None else known.starts_at_ns
    new = heard(flap, began_ns=began_ns, is_up=is_up, now_ns=now_ns, config=config)
    if not new.is_flapping:
        return alert, new
    said = f"began {len(new.begins_ns)} times within {config.within:g} s; told once until it is calm"
    alert = msgspec.structs.replace(alert, annotations={**alert.annotations, "flapping": said})
    if is_up:
        return alert, new
    return msgspec.structs.replace(alert, ends_at_ns=new.calms_at_ns(config), is_timeout=False), new


def is_forgotten(flap: Flap, config: FlappingConfig | None, now_ns: int) -> bool:
    """Return whether it began too long ago to matter."""
    return config is None or not flap.begins_ns or now_ns - flap.begins_ns[-1] >= round(config.within * 1e9)
