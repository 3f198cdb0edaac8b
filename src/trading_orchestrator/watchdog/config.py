"""Settings of the watchdog and of the signs of life it waits for. TOML: `[perpetual_operations.watchdog]`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Url = Annotated[str, Meta(pattern=r"^(https?://|env:|file:)")]
UrlOfSystem = Annotated[str, Meta(pattern=r"^(https?://|env:|file:|vault:)")]
LOOKS_A_SILENCE = 3


class PostTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A webhook of its own. TOML: `[perpetual_operations.watchdog.post]`.

    url: where to; a reference (`env:NAME`, `file:PATH`) when the address itself is a secret.
    secret: the reference of the signing secret; without one nothing is signed.
    """

    url: Url
    secret: str | None = None


class MailTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mail account of its own, best with another provider. TOML: `[perpetual_operations.watchdog.mail]`.

    password: a reference (`env:NAME`, `file:PATH`). tls: "none" only for a server on this host.
    """

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = None
    sender: str
    to: Annotated[tuple[str, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("expected username and password together, was one alone")


class WatchdogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who hears when the system itself can no longer tell. Off until `post`, `mail` or `beat_url` is set.

    signs_of_life: off, the system leaves none, until `features on dead_mans_switch`; set no watchdog on it then.
    pulse_s: how often the system leaves a sign of life in the data directory, while it makes progress.
    look_s: how often the watchdog looks for it.
    silent_s: without one for so long, the system is held to be gone; a restart and a takeover take less.
    start_s: the same before the first sign of life, for a host that boots.
    stopped_s: a system that was stopped in order is missed only after this; 0 is never.
    repeat_s: said again so often, for as long as it lasts.
    timeout_s: for one try of one way.
    beat_url: called while the system makes progress, and with `/fail` behind it when it does not: the convention of
        healthchecks and its kin, which alarm when the calls cease. A reference when the address is a secret, also
        `vault:NAME`: the system calls it, and not the watchdog, which opens no vault.
    beat_s: between two calls.
    """

    signs_of_life: bool = True
    pulse_s: Annotated[float, Meta(ge=0.5, le=60)] = 5.0
    look_s: Annotated[float, Meta(ge=0.1, le=60)] = 2.0
    silent_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    start_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0
    stopped_s: Annotated[float, Meta(ge=0)] = 900.0
    repeat_s: Annotated[float, Meta(ge=1)] = 3600.0
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    post: PostTo | None = None
    mail: MailTo | None = None
    beat_url: UrlOfSystem | None = None
    beat_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0

    def __post_init__(self) -> None:
        if self.silent_s < LOOKS_A_SILENCE * self.pulse_s:
            raise ValueError(
                f"silent_s: expected at least {LOOKS_A_SILENCE} × pulse_s "
                f"({LOOKS_A_SILENCE * self.pulse_s:g}), was {self.silent_s:g}: one late pulse would be an alarm"
            )
