"""Settings of one mail account that alerts go out by."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.templates.texts import TextConfig

_ADDRESS = re.compile(r"[!-;=?A-~]+@[A-Za-z0-9.-]+")
Tls = Literal["starttls", "tls", "none"]


class EmailConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who gets mail, and through which server. `kind = "email"`.

    host, port: of the mail server; 587 is submission with STARTTLS, 465 with `tls = "tls"`.
    tls: how the connection is protected; "none" only for a server on this host.
    username, password: the password as a reference (`env:…`, `file:…`, `vault:…`); none for a server that knows us.
    sender, to: bare addresses.
    timeout_s: 30 s; mail servers look up names before they answer.
    budget_per_min: 30; what a person can read is less, and what a provider allows is seldom more.
    texts: own words; see `templates/texts.py`.
    """

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    tls: Tls = "starttls"
    username: str | None = None
    password: str | None = None
    sender: str
    to: Annotated[tuple[str, ...], Meta(min_length=1)]
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 30.0
    budget_per_min: Annotated[float, Meta(ge=0)] = 30.0
    texts: TextConfig = TextConfig()

    def __post_init__(self) -> None:
        for address in (self.sender, *self.to):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"expected a bare address, name@host, was {address!r}")
        if (self.username is None) != (self.password is None):
            raise ValueError("expected username and password together, was one alone")
        if self.username is not None and self.tls == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError('expected tls = "starttls" or "tls": a password would leave this host in the clear')
