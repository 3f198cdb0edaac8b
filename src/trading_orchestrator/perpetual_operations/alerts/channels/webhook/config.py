"""Settings of one webhook."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class WebhookConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the JSON goes.

    secret_env: the environment variable that holds the signing secret; without one nothing is signed.
    timeout_s: for one try as a whole; a receiver that needs longer gets the message again, under the same key.
    external_url: where a reader finds our console.
    """

    url: Annotated[str, Meta(pattern=r"^https?://")]
    secret_env: str | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    external_url: str = ""
