"""Settings that every channel has, beside its own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.kernel.circuit_breaker import CircuitConfig

CIRCUIT = CircuitConfig(window_calls=10, window_s=300, min_calls=3, slow_call_s=60, open_s=5, open_max_s=60)


class LaneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every channel has, beside its own settings.

    timeout_s: for one try as a whole; a receiver that needs longer gets the message again, under the same key.
    budget_per_min: messages a minute, 0 without limit; critical ones never wait for it. One a second is more than
        anybody reads, and less than any service bans.
    burst: how many go at once after a quiet time.
    at_once: how many tries may be under way, and four times as many critical ones besides.
    fallback: the channel that takes over while this one is down or refuses.
    fallback_after_tries: a message that failed so often also goes there, a critical one after its first failure.
    circuit: when the channel is held to be down. 3 bad tries of 10 in 5 minutes; asked again after 5 s to 60 s.
    last_resort: told by its shortest way, without journal, when alerts can no longer be recorded.
    """

    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    budget_per_min: Annotated[float, Meta(ge=0)] = 60.0
    burst: Annotated[int, Meta(ge=1)] = 20
    at_once: Annotated[int, Meta(ge=1, le=100)] = 4
    fallback: str | None = None
    fallback_after_tries: Annotated[int, Meta(ge=1)] = 3
    circuit: CircuitConfig = CIRCUIT
    last_resort: bool = True
